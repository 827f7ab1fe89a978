import { describe, expect, jest, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { WatchChange } from '#libs/kubernetes/options.js';
import { whenPodsChange } from './pod-changes.js';

jest.setTimeout(30_000);
const LONG_MS = 60_000;

function watched() {
  let tell: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let change: () => void = () => undefined;
  let ended = false;
  const kube = {
    versionOf: async () => '1',
    watch: (_kind: string, { signal }: { readonly signal: AbortSignal }, onChange: (change: WatchChange) => void) => {
      change = () => onChange({ type: 'DELETED', object: {} as WatchChange['object'] });
      tell();
      return new Promise<string>((_, reject) => {
        signal.addEventListener('abort', () => {
          ended = true;
          reject(signal.reason);
        });
      });
    },
  };
  return { kube, begun, change: () => change(), ended: () => ended };
}

describe('a wait for pods', () => {
  test('is woken by a change, also by one that came while it read, and the watch ends with it', async () => {
    const { kube, begun, change, ended } = watched();
    const given = await whenPodsChange(kube, new AbortController().signal, async (changed) => {
      await begun;
      change();
      await changed(LONG_MS);
      const waiting = changed(LONG_MS);
      change();
      await waiting;
      return 'woken twice';
    });
    expect([given, ended()]).toEqual(['woken twice', true]);
  });

  test('goes on by time where it may not watch', async () => {
    const refused = async () => {
      throw new PlatformError('DENIED_UPSTREAM', 'pods: watch');
    };
    const kube = { versionOf: refused, watch: refused };
    expect(await whenPodsChange(kube, new AbortController().signal, async (changed) => changed(1).then(() => 'looked'))).toBe('looked');
  });

  test('ends with the activity', async () => {
    const { kube, begun } = watched();
    const activity = new AbortController();
    const waiting = whenPodsChange(kube, activity.signal, async (changed) => {
      await begun;
      activity.abort(new Error('cancelled'));
      await changed(LONG_MS);
    });
    await expect(waiting).rejects.toThrow('cancelled');
  });
});
