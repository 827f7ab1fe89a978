/** What the last looks at the kernel came to. Times are of the steady clock: a clock that is set changes none. */
export interface State {
  /** When the kernel last was as it should be. */
  readonly syncedAtMs: number | undefined;
  /** Why the last look failed; undefined when it did not. */
  readonly problem: string | undefined;
  readonly interfaceUp: boolean;
  /** Of the interface as it is. */
  readonly mtu: number;
  /** Own address of the underlay. */
  readonly underlay: string | undefined;
  /** As they are in the kernel. */
  readonly peers: ReadonlySet<string>;
  /** Namespaces whose Services were not read yet. */
  readonly unread: readonly string[];
}

export const BEFORE: State = {
  syncedAtMs: undefined,
  problem: undefined,
  interfaceUp: false,
  mtu: 0,
  underlay: undefined,
  peers: new Set(),
  unread: [],
};

/** A kernel that nobody could look at for so many pauses may be anything. */
const STALE_PAUSES = 3;
const STALE_LEAST_MS = 10_000;

/** Why this pod is not on the LAN as it should be, by part; empty when it is. */
export function problemsOf(
  state: State,
  { resyncMs, nowMs }: { readonly resyncMs: number; readonly nowMs: number },
): Record<string, string> {
  const { syncedAtMs, problem, interfaceUp, unread } = state;
  const staleMs = Math.max(STALE_PAUSES * resyncMs, STALE_LEAST_MS);
  const age = syncedAtMs === undefined ? undefined : nowMs - syncedAtMs;
  return {
    ...(interfaceUp ? {} : { interface: 'The interface is not up.' }),
    ...(unread.length === 0 ? {} : { services: `The Services of ${unread.join(', ')} have not been read yet.` }),
    ...(age !== undefined && age < staleMs
      ? {}
      : { sync: age === undefined ? 'The kernel was never in step.' : `Last in step ${Math.round(age / 1000)} s ago.` }),
    ...(problem === undefined ? {} : { problem }),
  };
}
