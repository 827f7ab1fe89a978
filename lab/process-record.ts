import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identityOf, isAlive, type ProcessIdentity } from './process-table.js';
import type { Profile } from './profile.js';
import { DeadlineError, waitFor } from './wait.js';

interface Recorded extends ProcessIdentity {
  /** Of what it was started with. */
  readonly fingerprint: string;
}

/** The pid file of one process, with its start time: only the process that was recorded is ever signalled. */
export class ProcessRecord {
  constructor(private readonly file: string) {}

  static of(profile: Profile, name: string): ProcessRecord {
    return new ProcessRecord(join(profile.paths.processes, `${name}.json`));
  }

  /** Names of all processes that were started and not stopped again. */
  static names(profile: Profile): string[] {
    if (!existsSync(profile.paths.processes)) return [];
    return readdirSync(profile.paths.processes)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));
  }

  /** What was recorded, while exactly that process lives. */
  alive(): Recorded | undefined {
    if (!existsSync(this.file)) return undefined;
    const recorded = JSON.parse(readFileSync(this.file, 'utf8')) as Recorded;
    return isAlive(recorded) ? recorded : undefined;
  }

  /** False when the process has ended already. */
  write(pid: number, fingerprint: string): boolean {
    const identity = identityOf(pid);
    if (!identity) return false;
    mkdirSync(dirname(this.file), { recursive: true });
    writeFileSync(`${this.file}.new`, JSON.stringify({ ...identity, fingerprint }));
    renameSync(`${this.file}.new`, this.file);
    return true;
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }

  /** Signals it and waits for its end; SIGTERM is followed by SIGKILL when the patience is over. True when it ran. */
  async end(signal: 'SIGTERM' | 'SIGKILL', { patienceMs }: { patienceMs: number }): Promise<boolean> {
    const recorded = this.alive();
    if (!recorded) return false;
    await endProcess(recorded, signal, { patienceMs });
    return true;
  }
}

/** Ends exactly this process; SIGTERM is followed by SIGKILL when the patience is over. */
export async function endProcess(
  identity: ProcessIdentity,
  signal: 'SIGTERM' | 'SIGKILL',
  { patienceMs }: { patienceMs: number },
): Promise<void> {
  const gone = (timeoutMs: number) => waitFor(`end of process ${identity.pid}`, () => !isAlive(identity), { timeoutMs, intervalMs: 20 });
  if (isAlive(identity)) signalTo(identity.pid, signal);
  try {
    await gone(patienceMs);
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    if (isAlive(identity)) signalTo(identity.pid, 'SIGKILL');
    await gone(5_000);
  }
}

/** Is in the environment of all that a lab starts, so that also what was never recorded is known again. */
export function environmentMark(profile: Profile, name = ''): string {
  return `WEBSPACES_LAB_PROCESS=${profile.name}/${name}`;
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
