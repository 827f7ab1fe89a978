import { Client, Connection } from '@temporalio/client';
import { startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP } from '#lab/cluster/manifests.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { saveHistory } from './recorder.js';

/**
 * Records upgrades that decide several gates by one look, as record.ts does for all else: `node dist/test/histories/record-upgrades.js`. The older
 * ones took a look for each.
 */
const policy = { probes: 'lease', podManagementPolicy: 'Parallel', updateStrategy: 'OnDelete' } as const;
const cluster = await startClusterLab({ ...policy, profile: 'bench', cluster: 'anew' });
const { lab } = cluster;
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });
const upgrades = new Upgrades(cluster);

const wanted = {
  rolling: { image: IMAGES.lxdNext },
  'lockstep-sequential': { image: IMAGES.lxd, environment: { [BUMP]: '1' } },
  'lockstep-parallel': { image: IMAGES.lxd, environment: { [BUMP]: '2' } },
} as const;
for (const [kind, upgrade] of Object.entries(wanted)) {
  const id = await upgrades.begin(upgrade);
  await upgrades.approve(id, kind);
  await upgrades.reaches(id, 'finished');
  await saveHistory(client, 'upgradeLxd8s', `${kind}-one-look`, id);
  await cluster.agreed(60_000);
}
await lab.down();
process.exit(0);
