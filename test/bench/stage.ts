import { Client, Connection } from '@temporalio/client';
import { type Lab, startLab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { Cluster } from '../support/cluster.js';
import { Sweeps } from '../support/sweeps.js';
import { Members } from './members.js';
import type { Storage } from './options.js';
import { RawInstances } from './raw.js';

/** The lab as a benchmark uses it. */
export interface Stage {
  readonly lab: Lab;
  readonly lxd: LxdClient;
  readonly raw: RawInstances;
  readonly cluster: Cluster;
  readonly sweeps: Sweeps;
  readonly temporal: Client;
  readonly members: Members;
  /** Nothing is under way that was begun earlier. */
  quiet(): Promise<void>;
  /** Removes what the benchmark made. */
  close(): Promise<void>;
}

/** Starts the lab, or what has to be another one of it, and waits until webspaces may be made. */
export async function openStage(storage: Storage): Promise<Stage> {
  const lab = await startLab({ profile: 'bench', temporalInMemory: storage === 'memory' });
  const lxd = createLxdClient({ socket: lab.lxdSocket });
  const cluster = new Cluster(lab);
  const sweeps = new Sweeps(lab);
  const connection = await Connection.connect({ address: lab.temporalAddress });
  const temporal = new Client({ connection });
  const members = new Members(lab, temporal);
  const raw = await RawInstances.open(lxd, lab.containerSubnet);
  const stage: Stage = {
    ...{ lab, lxd, raw, cluster, sweeps, temporal, members },
    quiet: () => sweeps.quiet(),
    close: async () => {
      await Promise.all([members.removeAll(), raw.removeAll()]);
      await Promise.all([members.close(), lxd.close(), cluster.close(), sweeps.close(), connection.close()]);
    },
  };
  await stage.raw.removeAll();
  await waitFor('the API to be ready for changes', () => ready(lab), { timeoutMs: 60_000 });
  await waitFor('new claims to be allowed', () => cluster.has('configMap', 'claims-epoch'), { timeoutMs: 60_000 });
  await stage.quiet();
  return stage;
}

async function ready(lab: Lab): Promise<boolean> {
  const answer = await lab.api('admin', 'GET', '/health/ready');
  return answer.status === 200 && answer.json<{ status: string }>().status === 'ready';
}
