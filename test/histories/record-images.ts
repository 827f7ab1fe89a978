import { Client, Connection } from '@temporalio/client';
import { startLab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { startGithubDouble } from '#libs/testing/github-double/index.js';
import { githubSettings, ImageReleases, REPOSITORY, writeImageSettings } from '../support/image-releases.js';
import { saveHistory } from './recorder.js';

/** Records the histories of imports, as record.ts does for all else: `node dist/test/histories/record-images.js`. */
const lab = await startLab({ profile: 'bench' });
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });
const github = await startGithubDouble();
const releases = new ImageReleases(github);
const source = { source: `github:${REPOSITORY}/recorded`, alias: 'recorded', policy: 'approve' };

async function importing(body: object): Promise<string> {
  const answer = await lab.api('admin', 'POST', '/v2/images/imports', body);
  if (answer.status !== 202) throw new Error(`import: ${answer.status} ${answer.body}`);
  return answer.json<{ id: string }>().id;
}

async function waiting(id: string): Promise<boolean> {
  const { waits } = (await lab.api('admin', 'GET', `/v2/operations/${id}`)).json<{ waits: { reason?: string }[] }>();
  return waits.some(({ reason }) => reason !== undefined);
}

writeImageSettings(lab, 'worker', { ...githubSettings(github), sources: [source], everySeconds: 86_400 });
await lab.process('worker').restart();
await releases.publish('recorded', '1.0.0');
await saveHistory(client, 'importImage', 'from-github', await importing({ github: source.source }));

const broken = await releases.publish('broken', '1.0.0');
await github.store.corruptAsset(
  REPOSITORY,
  'broken/v1.0.0',
  'rootfs.amd64.squashfs',
  Buffer.alloc(broken.sizeBytes - broken.metadata.length),
);
await saveHistory(client, 'importImage', 'corrupted-and-undone', await importing({ github: `github:${REPOSITORY}/broken` }));

await releases.publish('slow', '1.0.0', 3_000_000);
github.faults.add({ kind: 'slow', bytesPerSecond: 200_000 }, { match: /storage/ });
const slow = await importing({ github: `github:${REPOSITORY}/slow` });
await waitFor('the download', () => waiting(slow), { timeoutMs: 60_000 });
const joining = await importing({ github: `github:${REPOSITORY}/slow` });
await waitFor('the second one to join', () => waiting(joining), { timeoutMs: 60_000 });
await lab.api('admin', 'POST', `/v2/operations/${slow}/cancel`);
await saveHistory(client, 'importImage', 'cancelled-and-undone', slow);
await saveHistory(client, 'importImage', 'joins-one-that-fails', joining);
github.faults.clear();

await releases.publish('recorded', '1.0.1');
const look = (workflowId: string) => client.workflow.execute('watchImageSources', { workflowId, taskQueue: TASK_QUEUE, args: [] });
const { begun } = (await look('image-sources-begins-one')) as { begun: string[] };
await saveHistory(client, 'watchImageSources', 'begins-one', 'image-sources-begins-one');
const [approved = ''] = begun;
await waitFor('the wait for an approval', () => waiting(approved), { timeoutMs: 60_000 });
await lab.api('admin', 'POST', `/v2/operations/${approved}/approve`);
await saveHistory(client, 'importImage', 'approved', approved);
await look('image-sources-nothing-new');
await saveHistory(client, 'watchImageSources', 'nothing-new', 'image-sources-nothing-new');

releases.close();
await github.close();
await lab.down();
process.exit(0);
