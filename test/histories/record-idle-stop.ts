import { Client, Connection } from '@temporalio/client';
import { startLab } from '#lab/harness.js';
import type { IdleStopResult } from '#libs/contracts/idle-stop.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { saveHistory } from './recorder.js';

/** Records the histories of the idle stop, as record.ts does for all else: `node dist/test/histories/record-idle-stop.js`. */
const lab = await startLab({ profile: 'bench' });
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });
const env = { ENABLED: 'true', AFTER_SECONDS: '1', EVERY_SECONDS: '86400' };
await lab.process('worker').restart({
  env: Object.fromEntries(Object.entries(env).map(([name, value]) => [`WEBSPACES__IDLE_STOP__${name}`, value])),
});

async function round(workflowId: string): Promise<IdleStopResult> {
  return client.workflow.execute('idleStop', { workflowId, taskQueue: TASK_QUEUE, args: [] });
}

await lab.api('alice', 'DELETE', '/v1/webspace/self');
await lab.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' });
await lab.api('alice', 'POST', '/v1/webspace/self/state');
await round('idle-stop-all-used');
await saveHistory(client, 'idleStop', 'all-used', 'idle-stop-all-used');
for (let count = 1; ; count++) {
  if ((await round(`idle-stop-${count}`)).stopped === 0) continue;
  await saveHistory(client, 'idleStop', 'stops-one', `idle-stop-${count}`);
  break;
}
await lab.down();
process.exit(0);
