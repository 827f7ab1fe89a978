import { z } from 'zod';
import { SCALE_OWN_GATES } from '#libs/domain/scale/observed.js';
import { GATE_NAMES } from '#libs/domain/upgrade/gates.js';
import type { DeepReadonly } from './freeze.js';
import { githubSchema } from './github.js';
import { file } from './schemas.js';

const DAY_SECONDS = 86_400;

const label = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a name in lower case, e.g. lxd');
const seconds = z
  .number()
  .min(0.1)
  .max(30 * DAY_SECONDS);

export const clusterStorageSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('longhorn'),
      namespace: label.default('longhorn-system').describe("Longhorn's own namespace"),
    }),
    z.strictObject({ kind: z.literal('unwatched') }),
  ])
  .default({ kind: 'unwatched' })
  .describe("Whose volumes the members' are: those of Longhorn are waited for, others are not looked at");

const timings = z
  .strictObject({
    stopSeconds: seconds.default(30).describe('From the deletion of a pod until it is gone'),
    createSeconds: seconds.default(10).describe("Until its successor's container runs"),
    startSeconds: seconds.default(10).describe('Until LXD in it has recorded its versions'),
    alignSeconds: seconds.default(5).describe("From the last member's record until all serve"),
    instancesSeconds: seconds.default(15).describe('Until the instances of a member that serves run again'),
    electionSeconds: seconds.default(5).describe('A new leader of the database'),
    evacuateSeconds: seconds.default(60).describe('To move the instances of a member away, or back'),
    betweenSeconds: z.number().min(0).max(3600).default(3).describe('From the record of a member to the deletion of the next pod: gates'),
    togetherSeconds: z
      .number()
      .min(0)
      .max(3600)
      .default(5)
      .describe("What a restart of all members at once takes longer than one member's: a majority forms anew"),
  })
  .prefault({})
  .describe('How long things take, for the outage that a plan foretells');

const gitopsPath = z.string().min(1).max(500);

export const clusterWaySchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('statefulset') }),
    z.strictObject({
      kind: z.literal('gitops'),
      repository: z.string().regex(/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/, 'must be owner/repository'),
      base: z.string().min(1).default('main').describe('Branch that the cluster follows'),
      file: gitopsPath.describe('Path of the HelmRelease or values file in the repository'),
      imagePath: gitopsPath.describe('Where the image stands in the file, with dots: spec.values.image'),
      environmentPaths: z
        .record(z.string(), gitopsPath)
        .default({})
        .describe('Where each variable that counts stands in the file, by its name'),
      probesPath: gitopsPath.optional().describe('Where the switch of the probes stands, needed for probes: template'),
      merge: z.enum(['person', 'ours']).default('person').describe('Who merges the pull request'),
      requiredChecks: z
        .array(z.string().min(1))
        .default([])
        .describe("Checks that have to pass before we merge, whatever the repository's own rules are"),
      github: githubSchema,
    }),
  ])
  .default({ kind: 'statefulset' })
  .describe('How the template is changed: here, or by a pull request in the repository that the cluster follows');

const cluster = z
  .strictObject({
    name: label.describe('What people call it'),
    namespace: label.describe('Where its StatefulSet is'),
    webspaces: z
      .boolean()
      .default(false)
      .describe('Whether the webspaces live in it: they are then neither started nor made on a member that is being replaced'),
    statefulSet: label.default('lxd'),
    container: label.default('lxd').describe("LXD's container in the pods; it has curl and tar"),
    aloneCommand: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        "What starts LXD alone in a throw-away pod of a new image, whose versions are read; the image's own entry point when absent",
      ),
    lxdDir: z.string().startsWith('/').default('/var/lib/lxd').describe("LXD's folder in that container"),
    environment: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
      .default(['LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS'])
      .describe('Variables of the container that count as part of what it runs'),
    storage: clusterStorageSchema,
    probes: z
      .enum(['lease', 'template'])
      .default('template')
      .describe('lease: the probes are lenient while a Lease holds; template: they are taken out of the template and put back'),
    probeLeaseSeconds: z.int().min(5).max(3600).default(60).describe('How long probes stay lenient when nobody renews their Lease'),
    way: clusterWaySchema,
    instances: z.enum(['stop', 'evacuate']).default('stop').describe("A member's instances in a rolling upgrade, unless asked otherwise"),
    alignment: z
      .enum(['upwards', 'both'])
      .optional()
      .describe("Which way members of other versions wait for each other; by LXD's version when absent"),
    timings,
    deadlinesSeconds: z
      .partialRecord(z.enum([...GATE_NAMES, ...SCALE_OWN_GATES]), seconds)
      .default({})
      .describe('How long a gate is waited for, by its name, where it is not the usual time'),
    settleSeconds: z.number().min(0).max(DAY_SECONDS).default(60).describe('How long volumes have to stay settled'),
    stuckSeconds: seconds.default(900).describe('A rebuild that has stood still for so long is stuck'),
    pollSeconds: z
      .number()
      .min(0.2)
      .max(60)
      .default(2)
      .describe('Between two looks at the cluster while a gate is waited for; after a look that takes longer, as long as it took'),
    approvalSeconds: seconds.default(DAY_SECONDS).describe('How long a plan waits for its approval'),
    twoPersons: z.boolean().default(false).describe('Whoever asks for an upgrade or a scaling may not approve it'),
    standSeconds: z
      .number()
      .min(1)
      .max(366 * DAY_SECONDS)
      .default(90 * DAY_SECONDS)
      .describe('How long an upgrade or a scaling stands still for somebody: paused, or after a failure'),
  })
  .refine(({ probes, way: chosen }) => probes === 'lease' || chosen.kind !== 'gitops' || chosen.probesPath !== undefined, {
    path: ['way', 'probesPath'],
    message: 'is needed with probes: template',
  });

/** Clusters of LXD members in Kubernetes that may be upgraded and scaled from here. */
export const clustersSchema = z
  .array(cluster)
  .max(100)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { message: 'two of them have the same name' })
  .refine((all) => all.filter(({ webspaces }) => webspaces).length <= 1, {
    message: 'the webspaces live in one cluster only: `webspaces` of two is true',
  })
  .default([]);

export const copiesFolderSchema = file
  .default('/var/lib/webspaces/clusters')
  .describe(
    'Where copies of databases and manifests are kept from before an upgrade or a scaling; kept for ever, and outside the clusters',
  );

export type ClusterConfig = DeepReadonly<z.output<typeof cluster>>;
