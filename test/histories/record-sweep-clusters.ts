import { Client, Connection } from '@temporalio/client';
import { startLab } from '#lab/harness.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { saveHistory } from './recorder.js';

/** Records the history of the sweep of clusters, as record.ts does for all else: `node dist/test/histories/record-sweep-clusters.js`. */
const lab = await startLab({ profile: 'bench' });
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });
await client.workflow.execute('sweepClusters', { workflowId: 'sweep-clusters-nothing-left', taskQueue: TASK_QUEUE, args: [] });
await saveHistory(client, 'sweepClusters', 'nothing-left', 'sweep-clusters-nothing-left');
await lab.down();
process.exit(0);
