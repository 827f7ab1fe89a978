import { expect, test } from '@jest/globals';
import type { Platform } from '#libs/domain/platform.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Call } from '../shared/guard.js';
import { Instances } from './instances.js';

/** LXD without the instance, and with what it says that it still does to it, at each look. */
function lxdDoing(...looks: readonly string[][]) {
  let look = 0;
  const operations = {
    running: async () => (looks[Math.min(look++, looks.length - 1)] ?? []).map((description, id) => ({ id: String(id), description })),
    adopt: (id: string) => ({ id, wait: async () => undefined }),
  };
  const instances = { get: async () => Promise.reject(new PlatformError('NOT_FOUND', 'no such instance')) };
  return { client: { operations, instances } as unknown as LxdClient, looks: () => look };
}

const call = { signal: new AbortController().signal, waiting: () => undefined } as unknown as Call;
const remove = (client: LxdClient) =>
  new Instances(client, {} as Platform).remove(call, 'ws-u1', 'uid', { gracefulSeconds: 0, unreadable: 'never' });

test('a removal ends although LXD keeps commands and consoles of the instance that is gone', async () => {
  const { client } = lxdDoing(['Executing command', 'Showing console', 'Executing command']);
  await expect(remove(client)).resolves.toBeUndefined();
});

test('a removal waits for a creation that shows only after the first look', async () => {
  const { client, looks } = lxdDoing([], ['Creating instance'], ['Creating instance'], []);
  await expect(remove(client)).resolves.toBeUndefined();
  expect(looks()).toBe(5);
});
