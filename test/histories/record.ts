import { Client, Connection } from '@temporalio/client';
import { startLab } from '#lab/harness.js';
import { TASK_QUEUE, workflowIdOf } from '#libs/contracts/ids.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { giveKeys, newKeyPair } from '../support/accounts.js';
import { fakeAptImage, INSTALLS } from '../support/package-images.js';
import { newestOperation, saveHistory } from './recorder.js';

/**
 * Records one history of each kind and of each way it can end, from a real run: `node dist/test/histories/record.js`. To be run when a
 * workflow changes, adding files (never replacing those of a released version).
 */
const lab = await startLab({ profile: 'bench' });
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });

const save = (type: string, what: string, workflowId: string, runId?: string) => saveHistory(client, type, what, workflowId, runId);

const joined = (id: string) => ({
  workflowId: workflowIdOf(id.split(':')[0] as 'boot', String(id.split(':')[1]), ''),
  runId: String(id.split(':')[2]),
});
const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object) => lab.api('alice', method, path, body);
const SELF = '/v1/webspace/self';
const NAME = 'ws-u1';

await call('DELETE', SELF);
await call('POST', SELF, { image: 'hello' });
await save('createWebspace', 'plain', await newestOperation(lab, 'create'));
await call('PATCH', `${SELF}/config`, { httpPort: 8080, sniPassthrough: true });
await save('changeConfig', 'plain', await newestOperation(lab, 'config'));
await call('PATCH', `${SELF}/config`, { httpPort: 80, sniPassthrough: false });
await call('POST', `${SELF}/ports/22`);
await save('changePortForwards', 'any-port', await newestOperation(lab, 'ports'));
await call('POST', `${SELF}/ports/50001/80`);
await lab.api('admin', 'POST', '/v1/webspace/bob', { image: 'hello' });
await lab.api('admin', 'POST', '/v1/webspace/bob/ports/50001/80');
await save('changePortForwards', 'taken', await newestOperation(lab, 'ports'));
await lab.api('admin', 'DELETE', '/v1/webspace/bob');
await lab.api('alice', 'PATCH', `/v2/webspaces/${NAME}`, { config: { startupDelaySeconds: 0 }, ports: { remove: [{ external: 50001 }] } });
await save('changeWebspace', 'several', await newestOperation(lab, 'change'));
lab.dns.set({ 'www.example.org': { txt: ['webspace:id:1'] } });
await call('POST', `${SELF}/domains/www.example.org`);
await save('changeDomains', 'proved', await newestOperation(lab, 'domains'));
await call('POST', `${SELF}/domains/unproved.example.org`);
await save('changeDomains', 'not-proved', await newestOperation(lab, 'domains'));
lab.dns.clear();
await lab.process('worker').restart({ env: { WEBSPACES__DOMAINS__GRACE_SECONDS: '0' } });
await client.workflow.start(WORKFLOW_TYPES.verifyDomains, { workflowId: 'verify-domains', taskQueue: TASK_QUEUE, args: [] });
await save('verifyDomains', 'released', 'verify-domains');
await save('changeDomains', 'unproved-and-released', await newestOperation(lab, 'domains'));
await lab.process('worker').restart();
await call('POST', `${SELF}/state`);
const boot = joined(await newestOperation(lab, 'boot'));
await save('bootWebspace', 'started', boot.workflowId, boot.runId);
await call('PUT', `${SELF}/state`);
await save('rebootWebspace', 'plain', await newestOperation(lab, 'reboot'));
await call('DELETE', `${SELF}/state`);
await save('shutdownWebspace', 'clean', await newestOperation(lab, 'shutdown'));
await lab.lxc(['start', NAME]);
await lab.kubectl(['-n', 'webspaces', 'wait', `webspace/${NAME}`, '--for=jsonpath={.status.phase}=running', '--timeout=20s']);
await save('reconcileWebspace', 'after-event', `reconcile:${NAME}`);
await call('PATCH', `${SELF}/state`);
const restore = joined(await newestOperation(lab, 'restore'));
await save('restoreWebspace', 'sync', restore.workflowId, restore.runId);

await client.schedule.getHandle('sweep').trigger();
const sweeps = client.workflow.list({ query: 'WorkflowType="sweep"', pageSize: 1 });
for await (const { workflowId } of sweeps) {
  await save('sweep', 'in-step', workflowId);
  break;
}
await call('DELETE', SELF);
await save('deleteWebspace', 'running', await newestOperation(lab, 'delete'));

// Before the first sweep knows of it, as the original left it.
await lab.lxc(['init', 'hello', 'ws-u2', '-c', 'user._webspaced={"user":2,"config":null,"domains":null,"ports":null}']);
await lab.api('admin', 'POST', '/v2/adoptions', { dryRun: true });
await save('adoptWebspaces', 'dry-run', await newestOperation(lab, 'adoptions'));
await lab.api('admin', 'POST', '/v2/adoptions', { dryRun: false });
await save('adoptWebspaces', 'plain', await newestOperation(lab, 'adoptions'));
await save('adoptWebspace', 'plain', await newestOperation(lab, 'adopt'));
await lab.api('admin', 'DELETE', '/v1/webspace/bob');

await lab.importImage('broken', { init: 'broken' });
await lab.api('alice', 'POST', '/v2/webspaces', { image: 'broken', boot: true });
await save('createWebspace', 'boot-fails-and-is-undone', await newestOperation(lab, 'create'));

const cancelled = JSON.parse((await lab.api('alice', 'POST', '/v2/webspaces', { image: 'hello', boot: true })).body) as { id: string };
await client.workflow.getHandle(cancelled.id).cancel();
await save('createWebspace', 'cancelled-and-undone', cancelled.id);

// Bob's token was not seen yet: the API has not remembered that he had no key.
giveKeys(lab, { 2: newKeyPair().publicKey });
await lab.importImage('apt', fakeAptImage('apt', INSTALLS));
await lab.api('bob', 'POST', SELF, { image: 'apt', password: 'planted-secret', ssh: true });
await save('createWebspace', 'with-password-and-ssh', await newestOperation(lab, 'create'));
await lab.api('bob', 'DELETE', SELF);
await lab.api('bob', 'POST', SELF, { image: 'hello', password: 'planted-secret', ssh: true });
await save('createWebspace', 'ssh-fails-and-is-undone', await newestOperation(lab, 'create'));

await lab.importImage('stubborn', { init: 'ignores-shutdown' });
await call('POST', SELF, { image: 'stubborn' });
await call('POST', `${SELF}/state`);
await call('DELETE', `${SELF}/state`);
await save('shutdownWebspace', 'forced', await newestOperation(lab, 'shutdown'));
await call('DELETE', SELF);
await save('deleteWebspace', 'stopped', await newestOperation(lab, 'delete'));
await lab.down();
process.exit(0);
