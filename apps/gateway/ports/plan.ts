import type { PortForward } from '#libs/contracts/operations.js';
import { portKey } from '#libs/domain/change.js';
import type { WebspaceView } from '../directory.js';

/** Where the kernel leads a forwarded port. */
export interface Entry {
  readonly address: string;
  readonly internal: number;
}

/** What the kernel forwards, by `tcp-50000`. */
export type Entries = ReadonlyMap<string, Entry>;

/** How the forwards of one webspace are served. */
export interface Served {
  readonly kernel: Entries;
  readonly listeners: readonly PortForward[];
}

const NOTHING: Served = { kernel: new Map(), listeners: [] };

/**
 * The forwards of a webspace: in the kernel while it runs, by a listener that boots it otherwise. Of one whose phase is unknown every forward
 * stays where it is; of one that is suspended none is served. A forward with PROXY protocol always has a listener: the kernel cannot add a header.
 */
export function servedBy(view: WebspaceView | undefined, forwarding: 'kernel' | 'userspace', now: Entries): Served {
  if (!view || view.phase === 'deleting' || view.suspended) return NOTHING;
  const { address, phase, ports } = view;
  const kernel = new Map<string, Entry>();
  const listeners: PortForward[] = [];
  for (const port of ports) {
    const key = portKey(port);
    const entry = address === undefined || port.proxyProtocol ? undefined : { address, internal: port.internal };
    const stays = phase === 'running' || (phase === 'unknown' && sameEntry(now.get(key), entry));
    if (forwarding === 'kernel' && entry && stays) kernel.set(key, entry);
    else listeners.push(port);
  }
  return { kernel, listeners };
}

/** What has to be done so that the kernel forwards what is wanted and nothing else. */
export interface Difference {
  readonly remove: Entries;
  readonly add: Entries;
}

export function difference(now: Entries, wanted: Entries): Difference {
  const remove = new Map([...now].filter(([key, entry]) => !sameEntry(wanted.get(key), entry)));
  const add = new Map([...wanted].filter(([key, entry]) => !sameEntry(now.get(key), entry)));
  return { remove, add };
}

export function sameEntry(one: Entry | undefined, other: Entry | undefined): boolean {
  return one !== undefined && other !== undefined && one.address === other.address && one.internal === other.internal;
}
