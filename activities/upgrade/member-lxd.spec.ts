import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import { MemberLxd } from './member-lxd.js';

const ADDRESS = 'lxd-0.lxd.lxd8s.svc.cluster.local:8443';
const settings = { container: 'lxd', lxdDir: '/var/lib/lxd' };

// A shell that nobody uses is closed some time later.
beforeAll(() => void jest.useFakeTimers());
afterAll(() => void jest.useRealTimers());

/** A container in which curl ends like that; its command is told. */
async function answered(run: { readonly status: string; readonly exitCode?: number } | PlatformError) {
  const commands: string[] = [];
  const shell = {
    state: 'free',
    close: () => undefined,
    run: async (command: readonly string[]) => {
      commands.push(command.join(' '));
      if (run instanceof PlatformError) throw run;
      return { exitCode: run.exitCode ?? 0, stdout: Buffer.from(run.status), stderr: '' };
    },
  };
  const kube = { shell: async () => shell } as unknown as KubernetesClient;
  const says = await new MemberLxd(kube, settings).votes({ name: 'lxd-0', uid: 'u' }, ADDRESS);
  return { says, commands };
}

describe('whether the database of a member answers', () => {
  test('is asked of itself, by its address, as another member asks', async () => {
    const { says, commands } = await answered({ status: '503' });
    expect(says).toBe('yes');
    expect((await answered({ status: '200' })).says).toBe('yes');
    expect(commands).toEqual([
      expect.stringMatching(
        /^curl -skI .*--cert \/var\/lib\/lxd\/server\.crt --key \/var\/lib\/lxd\/server\.key -H X-Dqlite-Version: 1 https:\/\/lxd-0\.lxd\.lxd8s\.svc\.cluster\.local:8443\/internal\/database$/,
      ),
    ]);
  });

  test.each([
    ['its database gives LXD no answer', { status: '500' }],
    ['it is not reached', { status: '000', exitCode: 7 }],
    ['it gives no answer in time', { status: '000', exitCode: 28 }],
    ['nobody gets into its container', new PlatformError('UNAVAILABLE', 'the node is away')],
  ])('no: %s', async (_what, run) => {
    expect((await answered(run)).says).toBe('no');
  });

  test.each([
    ['its key is not there, as of one in a machine of its own', { status: '000', exitCode: 58 }],
    ['it has no vote, or a version that answers otherwise', { status: '404' }],
  ])('not known: %s', async (_what, run) => {
    expect((await answered(run)).says).toBe('unknown');
  });
});
