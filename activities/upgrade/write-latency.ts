import type { WriteLatency } from '#libs/contracts/upgrades.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Cluster } from './deps.js';

const WRITES = 8;
const BLOCK_BYTES = 4096;
const TIMEOUT_MS = 30_000;
/** Each write is on the disk before the next begins: what a database waits for. What is said of it is in the last line. */
const SCRIPT = `f="$1/.webspaces-write"; LC_ALL=C dd if=/dev/zero of="$f" bs=${BLOCK_BYTES} count=${WRITES} oflag=dsync 2>&1; s=$?; rm -f "$f"; exit $s`;

/**
 * The mean of a few small synchronous writes into LXD's folder of each member: a volume that is settled by its objects and slow all the same
 * is seen in it. A member where it cannot be measured has an error instead; only a cancellation throws.
 */
export function measureWrites(
  cluster: Pick<Cluster, 'kube' | 'config'>,
  members: readonly string[],
  pods: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<WriteLatency[]> {
  return Promise.all(
    members.map(async (member): Promise<WriteLatency> => {
      try {
        return { member, milliseconds: await measured(cluster, pods.get(member) ?? member, signal) };
      } catch (error) {
        if (!isPlatformError(error) || signal.aborted) throw error;
        return { member, error: error.message };
      }
    }),
  );
}

async function measured({ kube, config }: Pick<Cluster, 'kube' | 'config'>, pod: string, signal: AbortSignal): Promise<number> {
  const command = ['sh', '-c', SCRIPT, 'sh', config.lxdDir];
  const { exitCode, stdout, stderr } = await kube.exec(pod, { container: config.container, command, timeoutMs: TIMEOUT_MS }, { signal });
  const said = stdout.toString('utf8').trim();
  const seconds = secondsOf(said);
  if (exitCode === 0 && seconds !== undefined) return Math.round((seconds * 100_000) / WRITES) / 100;
  const why = said.split('\n').at(-1) || stderr.trim() || 'it said nothing';
  throw new PlatformError('OPERATION_FAILED', `dd in ${pod} ended with exit code ${exitCode}: ${why}`);
}

/** Of dd: `32768 bytes (33 kB, 32 KiB) copied, 0.00712 s, 4.6 MB/s`. */
function secondsOf(said: string): number | undefined {
  const [, seconds] = /copied, ([\d.e+-]+) s/.exec(said) ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

/** As a sentence. */
export function writesText(writes: readonly WriteLatency[]): string {
  const parts = writes.map(({ member, milliseconds, error }) =>
    milliseconds === undefined ? `${member} not measured (${error})` : `${member} ${milliseconds} ms`,
  );
  return `A write takes: ${parts.join(', ')}.`;
}
