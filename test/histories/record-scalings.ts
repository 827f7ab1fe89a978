import { Client, Connection } from '@temporalio/client';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { Scalings } from '../support/scalings.js';
import { saveHistory } from './recorder.js';

/** Records scalings, as record.ts does for all else: `node dist/test/histories/record-scalings.js`. */
const world = await Lxd8sWorld.open(4, { apps: 'all' });
await world.beginManaged(3);
const client = new Client({ connection: await Connection.connect({ address: world.lab.temporalAddress }) });
const scalings = new Scalings(world.lab);

const save = async (what: string, id: string) => saveHistory(client, 'scaleLxd8s', what, id);
const grow = await scalings.approved({ replicas: 3 });
await scalings.reaches(grow, 'finished');
await save('grow', grow);

await world.launch('stays', memberOf(2), { config: { 'cluster.evacuate': 'stop' } });
const aborted = await scalings.approved({ replicas: 2 });
await scalings.reaches(aborted, /member-empty/);
await scalings.order(aborted, 'abort', { reason: 'not yet' });
await scalings.reaches(aborted, 'went-back');
await save('aborted', aborted);

await world.client(memberOf(0)).request('PUT', '/1.0/instances/stays/state', { body: { action: 'stop', force: true } });
await world.client(memberOf(0)).request('DELETE', '/1.0/instances/stays');
const shrink = await scalings.approved({ replicas: 2, volumes: 'delete' });
await scalings.reaches(shrink, 'finished');
await save('shrink', shrink);
await world.close();
await world.lab.down();
process.exit(0);
