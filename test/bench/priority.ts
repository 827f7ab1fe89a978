import { run, tryRun } from '#lab/exec.js';

/** Coming before all ordinary work of the machine; where that is not allowed, among it. */
export interface Priority {
  readonly allowed: boolean;
  /** Goes before a command that has it all its life. */
  readonly prefix: readonly string[];
  /** This process has it until the work has ended. Keep that to seconds: whatever else runs here stands still. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

const FIRST = ['--rr', '1'];
const ORDINARY = ['--other', '0'];

export async function firstOfAll(): Promise<Priority> {
  const { exitCode } = await tryRun('chrt', [...FIRST, 'true']);
  return exitCode === 0 ? { allowed: true, prefix: ['chrt', ...FIRST], during } : { allowed: false, prefix: [], during: (work) => work() };
}

async function during<T>(work: () => Promise<T>): Promise<T> {
  await become(FIRST);
  try {
    return await work();
  } finally {
    await become(ORDINARY);
  }
}

async function become(policy: readonly string[]): Promise<void> {
  await run('chrt', ['--all-tasks', ...policy.slice(0, 1), '--pid', ...policy.slice(1), String(process.pid)]);
}
