import { resolveTool } from '#lab/tools/resolve.js';
import { WorkflowRig } from '#libs/testing/workflow-rig.js';
import { saveHistory } from './recorder.js';

/** Records the histories of the memory stop, without a lab, whose LXD has no members: `node dist/test/histories/record-memory-stop.js`. */
const rig = await WorkflowRig.start(await resolveTool('temporal'));
const record = (what: string, found: readonly { member: string; webspace?: { name: string; owner: string; idleSeconds: number } }[]) =>
  rig.run('memoryStop', {}, { findShortOfMemory: async () => found }, async ({ handle, client }) =>
    saveHistory(client, 'memoryStop', what, handle.workflowId),
  );

await record('none-short', []);
await record('stops-one-and-waits', [{ member: 'lxd-0' }, { member: 'lxd-1', webspace: { name: 'ws-u1', owner: '1', idleSeconds: 600 } }]);
await rig.stop();
process.exit(0);
