import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;
const NAME = 'lxd8s-vm';

export interface Tap {
  readonly name: string;
  readonly mtu: number;
}

/** An interface for the machine in a bridge of the pod. One of before is taken away: it outlives the container. @throws PlatformError UNAVAILABLE while the bridge is missing. */
export async function makeTap(bridge: string): Promise<Tap> {
  const mtu = mtuOf(bridge);
  if (mtu === undefined) throw new PlatformError('UNAVAILABLE', `There is no bridge ${bridge} in the pod (yet).`);
  // Fails where there is none.
  await ip('link', 'delete', NAME).catch(() => undefined);
  try {
    await ip('tuntap', 'add', NAME, 'mode', 'tap', 'vnet_hdr');
    await ip('link', 'set', NAME, 'mtu', String(mtu), 'master', bridge, 'up');
  } catch (cause) {
    throw new PlatformError(
      'INVALID_INPUT',
      `The machine cannot be connected with ${bridge}: ${messageOf(cause)}. Has the pod NET_ADMIN and /dev/net/tun?`,
      {
        cause,
      },
    );
  }
  return { name: NAME, mtu };
}

function mtuOf(bridge: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${bridge}/mtu`, 'utf8'));
  } catch {
    // There is none.
    return undefined;
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', [...args], { timeout: TIMEOUT_MS });
}
