import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { stateFor } from './lxd8s.js';
import { vmSchema } from './lxd8s-vm.js';
import { dnsName, file, kubernetesSchema, listenSchema, logSchema } from './schemas.js';

const seconds = z.number().min(0.1).max(3600);
const folder = z.string().regex(/^\/./, 'must be an absolute path');

const lxd = z
  .strictObject({
    // LXD's socket is in it, and paths of sockets have 107 bytes.
    folder: folder.max(88).default('/var/lib/lxd').describe("LXD's folder, LXD_DIR: where the member's volume is mounted"),
    port: z.int().min(1).max(65535).default(8443).describe('Where LXD serves HTTPS, and the members find each other'),
    restartSeconds: z
      .strictObject({ first: seconds.default(1), most: seconds.default(30) })
      .prefault({})
      .describe('Pause before LXD is started again after it ended by itself: doubled each time, and as at first after ten minutes'),
  })
  .prefault({});

const volumes = z
  .strictObject({
    storage: folder
      .optional()
      .describe(
        'Where a second volume is mounted, for storage pools: the folder of a `dir` pool in it is made there. LXD refuses one whose path begins with that of lxd.folder',
      ),
    mounts: z
      .enum(['required', 'any'])
      .default('required')
      .describe('required: a folder of the container itself, in which all would be lost with it, is refused'),
  })
  .prefault({})
  .describe('A volume that cannot be used is left as it is; the member says so and waits');

const stop = z
  .strictObject({
    graceSeconds: z.number().min(5).max(3600).default(60).describe("The pod's terminationGracePeriodSeconds"),
    reserveSeconds: seconds.default(5).describe('Of it, kept for what comes after the containers: LXD itself'),
  })
  .prefault({})
  .describe('What SIGTERM begins: containers are stopped cleanly, then LXD');

const join = z
  .strictObject({
    listen: listenSchema.prefault('0.0.0.0:9799').describe('HTTPS for new members, with the certificate of the cluster'),
    port: z.int().min(1).max(65535).default(9799).describe('Where that is on the other members'),
    // Not a key `…File`: a first member needs none.
    token: folder
      .default('/var/run/secrets/webspaces-lxd8s/token')
      .describe("Projected token of the pod's service account for `audience`, by which a new member shows who it is"),
    audience: z.string().min(1).default('webspaces-lxd8s'),
  })
  .prefault({})
  .describe('How members come into the cluster: by a token that a member makes when it is asked');

const certificate = z
  .strictObject({
    folder: folder.describe('A mounted Secret of type kubernetes.io/tls: tls.crt and tls.key'),
    announceSeconds: z
      .number()
      .min(0)
      .max(24 * 3600)
      .default(120)
      .describe('How long a new certificate is in the record of the cluster before it is used, so that those who pin it have it'),
  })
  .describe("The cluster's certificate; without it LXD makes its own");

const memory = z
  .strictObject({
    minFreeBytes: z.int().min(1).describe("Memory is short when less is free of the pod's limit, or of the machine's where it has none"),
  })
  .describe('Says so in LXD, for the worker (memoryStop); without it memory is not looked at');

const console = z
  .strictObject({
    passwordFile: file.describe("Hash of root's password at the console, as `openssl passwd -6` prints it: a mounted Secret"),
  })
  .describe('`lxd8s console` in the pod, a login where LXD runs; without it there is none');

/** Of `apps/lxd8s/member`, the process that LXD runs under. */
export const lxd8sMemberConfigSchema = z.strictObject({
  listen: listenSchema.prefault('0.0.0.0:9798').describe('Address of /state and /metrics'),
  stateFor,
  log: logSchema,
  kubernetes: kubernetesSchema,
  statefulSet: z.string().min(1).describe('StatefulSet of this pod'),
  member: z
    .string()
    .regex(/^[a-z0-9-]+-\d+$/, 'must end in a number, as the names of pods of a StatefulSet do')
    .describe('Name of this pod, which is that of the member'),
  domain: dnsName.describe('Under which members have their names: <service>.<namespace>.svc.cluster.local of the headless Service'),
  runtime: z
    .enum(['container', 'vm'])
    .default('container')
    .describe(
      'container: LXD runs in this container, which must be privileged; vm: in a small machine of its own (QEMU), for which it need not be',
    ),
  vm: vmSchema,
  lxd,
  volumes,
  stop,
  join,
  certificate: certificate.optional(),
  memory: memory.optional(),
  console: console.optional(),
  preseedFile: file.optional().describe('YAML as `lxd init --preseed` takes it: config, projects, storage_pools, networks, profiles'),
  everySeconds: seconds.default(5).describe('Longest pause between two looks at what should be so'),
});
export type Lxd8sMemberConfig = DeepReadonly<z.output<typeof lxd8sMemberConfigSchema>>;
