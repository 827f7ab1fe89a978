import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { createLxdClient } from '#libs/lxd/create-client.js';

/** Starts and resumptions of containers, as LXD itself tells them. */
export interface Starts {
  /** How often this one was started since. */
  of(instance: string): number;
  close(): Promise<void>;
}

/** Counts from now on. */
export async function countStarts(lab: Lab): Promise<Starts> {
  const lxd = createLxdClient({ socket: lab.lxdSocket });
  const starts: string[] = [];
  let connected = false;
  const stream = lxd.events(['lifecycle'], {
    onConnected: () => {
      connected = true;
    },
    onEvent: ({ metadata }) => {
      const { action = '', source = '' } = metadata as { action?: string; source?: string };
      if (action === 'instance-started' || action === 'instance-resumed') starts.push(source.split('/').pop() ?? '');
    },
    onDisconnected: () => undefined,
  });
  await waitFor("LXD's events", async () => connected, { timeoutMs: 10_000 });
  return {
    of: (instance) => starts.filter((name) => name === instance).length,
    close: async () => {
      stream.close();
      await lxd.close();
    },
  };
}
