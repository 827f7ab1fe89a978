import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lab, startLab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { Cluster } from './cluster.js';
import { nothingMoreThanNow } from './instances.js';
import { LeakCounter } from './leak-counter.js';
import { Members } from './members.js';
import { Sweeps } from './sweeps.js';

/** Full counts on request; CI runs the short form of every test. */
export const FULL = process.env['WEBSPACES_FULL'] === '1' || process.env['WEBSPACES_COUNTS'] === 'full';

/** `inFullRun(it)`: a test, or a `describe`, that CI leaves out; test/full-only.txt names it. */
export const inFullRun = <T extends object>(declare: T): T | (() => undefined) => (FULL ? declare : () => undefined);

/** How often something is measured: few times in CI, often with full counts. */
export const times = ({ short, full }: { readonly short: number; readonly full: number }): number => (FULL ? full : short);

/** Account ids from here on are the tests' own. */
const FIRST_MEMBER = 1001;
const MEMBERS = 60;

/** The lab as a whole-system test sees it. */
export interface Session {
  readonly lab: Lab;
  readonly cluster: Cluster;
  readonly members: Members;
  readonly sweeps: Sweeps;
  /** Runs through every test: no packet for a container may leave by another way than the lab's link. */
  readonly leaks: LeakCounter;
  /** Ends what the test file opened, and leaves the lab clean and whole for the next one. */
  close(): Promise<void>;
}

/** Starts the lab or joins it, with members of the tests' own, and waits until new webspaces may be made. */
export async function openSession(): Promise<Session> {
  const lab = await startLab({ profile: 'test' });
  const leaks = new LeakCounter(lab);
  await leaks.start();
  addMembers(lab);
  const cluster = new Cluster(lab);
  const sweeps = new Sweeps(lab);
  const members = new Members(lab, cluster, sweeps);
  await members.removeAll();
  const assertNothingMore = await nothingMoreThanNow(lab);
  await waitFor('new claims to be allowed', () => cluster.has('configMap', 'claims-epoch'), { timeoutMs: 60_000 });
  return {
    lab,
    cluster,
    members,
    sweeps,
    leaks,
    close: async () => {
      await lab.up();
      await members.removeAll();
      await assertNothingMore();
      await Promise.all([sweeps.close(), cluster.close()]);
      const leaked = await leaks.packets('leaked');
      await leaks.stop();
      if (leaked > 0) throw new Error(`${leaked} packets for containers left by another way than the lab's link`);
    },
  };
}

/** Prints a measurement so that it stands out of the runner's lines. */
export function report(what: string, value: string): void {
  process.stdout.write(`    ▸ ${what}: ${value}\n`);
}

function addMembers(lab: Lab): void {
  const file = join(lab.profile.paths.apps, 'users.json');
  const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: { id: number }[] };
  if (users.some(({ id }) => id === FIRST_MEMBER + MEMBERS - 1)) return;
  const ours = Array.from({ length: MEMBERS }, (_, i) => memberOf(i)).map(({ id, username }) => ({ id, username, version: 1 }));
  const others = users.filter(({ id }) => id < FIRST_MEMBER);
  // The API reads the file again when it changes: it must never meet half of it.
  writeFileSync(`${file}.new`, `${JSON.stringify({ users: [...others, ...ours] }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function memberOf(index: number): { readonly id: number; readonly username: string } {
  return { id: FIRST_MEMBER + index, username: `member${FIRST_MEMBER + index}` };
}
