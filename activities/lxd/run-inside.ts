import type { LxdClient } from '#libs/lxd/client.js';
import type { Call } from '../shared/guard.js';

const KEPT_BYTES = 4_096;
const KEPT_LINES = 8;

export interface Ran {
  /** Undefined when it was ended at its deadline. */
  readonly exitCode: number | undefined;
  /** The last lines of what it said, without what a terminal would obey. */
  readonly lastLines: string;
}

/** Runs a shell script in a container until its end or the deadline; it holds no secret: every listener of LXD's events sees it. */
export async function runInside(call: Call, lxd: LxdClient, instance: string, script: string, timeoutMs: number): Promise<Ran> {
  const session = await lxd.exec.open(instance, { command: ['sh', '-c', `exec 2>&1 </dev/null\n${script}`] }, { signal: call.signal });
  let kept: Buffer = Buffer.alloc(0);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    session.kill();
  }, timeoutMs);
  try {
    session.stdin.end();
    session.stderr.resume();
    const read = (async () => {
      for await (const chunk of session.stdout) kept = Buffer.concat([kept, chunk as Buffer]).subarray(-KEPT_BYTES);
    })();
    const [exitCode] = await Promise.all([session.exitCode, read]);
    call.signal.throwIfAborted();
    return { exitCode: expired ? undefined : exitCode, lastLines: lastLinesOf(kept.toString('utf8')) };
  } catch (error) {
    session.kill();
    if (expired) return { exitCode: undefined, lastLines: lastLinesOf(kept.toString('utf8')) };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function lastLinesOf(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.replace(/\p{Cc}+/gu, ' ').trim());
  return lines
    .filter((line) => line !== '')
    .slice(-KEPT_LINES)
    .join(' | ');
}
