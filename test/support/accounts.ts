import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '#lab/harness.js';

/** A key pair as `ssh-keygen` makes it. */
export interface KeyPair {
  readonly publicKey: string;
  readonly privateKeyFile: string;
}

export function newKeyPair(): KeyPair {
  const privateKeyFile = join(mkdtempSync(join(tmpdir(), 'webspaces-key-')), 'id');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'a member', '-f', privateKeyFile]);
  return { publicKey: readFileSync(`${privateKeyFile}.pub`, 'utf8').trim(), privateKeyFile };
}

interface User {
  readonly id: number;
}

/** Writes the SSH public keys into the lab's users file. The API reads it again at the next token that it has not seen lately. */
export function giveKeys(lab: Lab, keys: Readonly<Record<number, string>>): void {
  changeUsers(lab, (users) => users.map((user) => ({ ...user, ...(keys[user.id] === undefined ? {} : { sshKey: keys[user.id] }) })));
}

/** An admin beside the lab's one. */
export function addAdmin(lab: Lab, { id, username }: { readonly id: number; readonly username: string }): void {
  changeUsers(lab, (users) => [...users.filter((user) => user.id !== id), { id, username, version: 1, isAdmin: true }]);
}

function changeUsers(lab: Lab, change: (users: readonly User[]) => readonly User[]): void {
  const file = join(lab.profile.paths.apps, 'users.json');
  const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: User[] };
  writeFileSync(`${file}.new`, `${JSON.stringify({ users: change(users) }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
