import { describe, expect, test } from '@jest/globals';
import { clustersSchema } from '#libs/config/clusters.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { ExecResult } from '#libs/kubernetes/exec.js';
import type { Cluster } from './deps.js';
import { measureWrites, writesText } from './write-latency.js';

const [config] = clustersSchema.parse([{ name: 'c1', namespace: 'lxd8s', lxdDir: '/data/lxd' }]);
const SAID = '8+0 records in\n8+0 records out\n32768 bytes (33 kB, 32 KiB) copied, 0.0123 s, 2.7 MB/s\n';
const answer = (exitCode: number, stdout: string): ExecResult =>
  ({ exitCode, stdout: Buffer.from(stdout), stderr: '' }) as unknown as ExecResult;

function measure(exec: (pod: string, command: readonly string[]) => Promise<ExecResult>, signal = new AbortController().signal) {
  const kube = { exec: (pod: string, { command }: { readonly command: readonly string[] }) => exec(pod, command) };
  return measureWrites({ kube, config } as unknown as Cluster, ['a', 'b'], new Map([['a', 'lxd-0']]), signal);
}

describe('the latency of a write', () => {
  test('is the mean of a few, measured in the pod of each member, in the folder of its LXD', async () => {
    const asked: string[] = [];
    const writes = await measure(async (pod, command) => {
      asked.push(`${pod} ${command.at(-1)}`);
      return answer(0, SAID);
    });
    expect(asked).toEqual(['lxd-0 /data/lxd', 'b /data/lxd']);
    expect(writes).toEqual([
      { member: 'a', milliseconds: 1.54 },
      { member: 'b', milliseconds: 1.54 },
    ]);
    expect(writesText(writes)).toBe('A write takes: a 1.54 ms, b 1.54 ms.');
  });

  test('that cannot be had is an error beside the others', async () => {
    const writes = await measure(async (pod) => {
      if (pod === 'b') throw new PlatformError('UNAVAILABLE', 'no such pod');
      return answer(1, 'dd: failed to open: No space left on device');
    });
    expect(writes).toEqual([
      { member: 'a', error: 'dd in lxd-0 ended with exit code 1: dd: failed to open: No space left on device' },
      { member: 'b', error: 'no such pod' },
    ]);
  });

  test('a cancellation is no error of a member', async () => {
    const cancelled = AbortSignal.abort();
    const away = measure(async () => {
      throw new PlatformError('UNAVAILABLE', 'aborted');
    }, cancelled);
    await expect(away).rejects.toThrow('aborted');
  });
});
