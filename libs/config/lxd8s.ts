import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { kubernetesSchema, listenSchema, logSchema } from './schemas.js';

const seconds = z.number().min(0.1).max(3600);

const lxd = z
  .strictObject({
    // Not a key `…File`: LXD may make it later.
    socket: z.string().min(1).default('/var/lib/lxd/unix.socket').describe('Path of the unix socket of the LXD of this pod'),
    everySeconds: seconds.default(1).describe('Pause between two questions'),
    timeoutSeconds: seconds.default(2).describe('LXD counts as silent to a question that it has not answered in this time'),
    deadSeconds: seconds.default(60).describe('Liveness fails when LXD was silent for so long'),
  })
  .prefault({});

const lease = z
  .strictObject({
    everySeconds: seconds.default(3).describe('Pause between two readings of the Lease'),
    maxSeconds: z
      .number()
      .min(1)
      .max(24 * 3600)
      .default(900)
      .describe('Longest time from a renewal that probes are lenient, whatever duration the Lease states'),
    skewSeconds: z.number().min(0).max(600).default(60).describe('A Lease renewed further ahead of this clock than that is not believed'),
  })
  .prefault({})
  .describe('The Lease <statefulSet>-upgrade of the namespace, which makes start-up and liveness lenient');

export const lxd8sConfigSchema = z.strictObject({
  listen: listenSchema.prefault('0.0.0.0:9797').describe("Where kubelet finds the member's probes"),
  log: logSchema,
  kubernetes: kubernetesSchema,
  statefulSet: z.string().min(1).describe('StatefulSet of this pod'),
  lxd,
  lease,
});
export type Lxd8sConfig = DeepReadonly<z.output<typeof lxd8sConfigSchema>>;
