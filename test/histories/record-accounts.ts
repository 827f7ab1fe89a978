import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startLab } from '#lab/harness.js';
import { TASK_QUEUE } from '#libs/contracts/ids.js';
import { newestOperation, saveHistory } from './recorder.js';

/** Records the histories of what follows from accounts, as record.ts does for all else: `node dist/test/histories/record-accounts.js`. */
const lab = await startLab({ profile: 'bench' });
const client = new Client({ connection: await Connection.connect({ address: lab.temporalAddress }) });
const NAME = 'ws-u1';

interface User {
  readonly id: number;
  readonly username: string;
}

function changeUsers(change: (users: readonly User[]) => readonly User[]): void {
  const file = join(lab.profile.paths.apps, 'users.json');
  const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: User[] };
  writeFileSync(`${file}.new`, JSON.stringify({ users: change(users) }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function round(what: string): Promise<void> {
  const workflowId = `accounts-${what}`;
  console.log(await client.workflow.execute('accountPolicy', { workflowId, taskQueue: TASK_QUEUE, args: [] }));
  await saveHistory(client, 'accountPolicy', what, workflowId);
}

await lab.api('alice', 'DELETE', '/v1/webspace/self');
await lab.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' });
await lab.api('alice', 'POST', '/v1/webspace/self/state');
await round('nothing');
changeUsers((users) => users.map((user) => (user.id === 1 ? { ...user, username: 'alicia' } : user)));
await round('renames');
await saveHistory(client, 'renameWebspace', 'by-policy', await newestOperation(lab, 'rename'));
for (const [what, workflow] of [
  ['suspend', 'suspendWebspace'],
  ['resume', 'resumeWebspace'],
] as const) {
  const { id } = JSON.parse((await lab.api('admin', 'POST', `/v2/accounts/1/${what}`, { note: 'recorded' })).body) as { id: string };
  await saveHistory(client, workflow, 'by-admin', id);
}
changeUsers((users) => users.filter(({ id }) => id !== 1));
await round('suspends');
const operationId = 'recorded';
const archive = `archive:${NAME}:${operationId}`;
const input = { name: NAME, operationId, requestedBy: { subject: 'account-policy', username: 'account-policy' } };
await client.workflow.start('archiveWebspace', { workflowId: archive, taskQueue: TASK_QUEUE, args: [input] });
await saveHistory(client, 'archiveWebspace', 'and-delete', archive);
await lab.down();
process.exit(0);
