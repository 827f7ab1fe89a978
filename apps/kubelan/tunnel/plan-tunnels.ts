import { canonical } from '../addresses.js';

/** A member as WireGuard knows it. */
export interface TunnelPeer {
  readonly publicKey: string;
  /** Of the underlay; undefined where `wg` knows none. */
  readonly endpoint: string | undefined;
  readonly inner: string;
}

export interface TunnelState {
  readonly privateKey: string | undefined;
  readonly port: number;
  readonly peers: readonly TunnelPeer[];
}

/** So often a silent tunnel says something; the first time at once, so that a new peer has its keys before its first frame. */
const KEEPALIVE_SECONDS = 25;

/** What `wg show … dump` prints: the interface, then a line for each peer, columns parted by tabs. */
export function parseDump(text: string): TunnelState {
  const [first = '', ...rest] = text.trimEnd().split('\n');
  const [privateKey, , port] = first.split('\t');
  const peers = rest.map((line): TunnelPeer => {
    const [publicKey = '', , endpoint = '', allowed = ''] = line.split('\t');
    return { publicKey, endpoint: hostOf(endpoint), inner: canonical(allowed.split(',')[0]?.split('/')[0] ?? '') ?? '' };
  });
  return { privateKey: privateKey === '(none)' ? undefined : privateKey, port: Number(port), peers };
}

function hostOf(endpoint: string): string | undefined {
  return canonical(endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
}

/** Arguments of one `wg set`; empty where nothing differs. A tunnel that stays is not touched: WireGuard follows a peer's endpoint by itself. */
export function planTunnels(
  wanted: readonly TunnelPeer[],
  state: TunnelState,
  { port, others }: { readonly port: number; readonly others: 'stay' | 'go' },
): readonly string[] {
  const present = new Map(state.peers.map((peer) => [peer.publicKey, peer]));
  const keys = new Set(wanted.map(({ publicKey }) => publicKey));
  const inners = new Set(wanted.map(({ inner }) => inner));
  // An old key of a peer that has a new one goes in any case: two cannot have one address.
  const gone = state.peers.filter(({ publicKey, inner }) => !keys.has(publicKey) && (others === 'go' || inners.has(inner)));
  const added = wanted.filter(({ publicKey, inner }) => present.get(publicKey)?.inner !== inner);
  return [
    ...gone.flatMap(({ publicKey }) => ['peer', publicKey, 'remove']),
    ...added.flatMap(({ publicKey, endpoint = '', inner }) => [
      ...['peer', publicKey, 'endpoint', endpoint.includes(':') ? `[${endpoint}]:${port}` : `${endpoint}:${port}`],
      ...['persistent-keepalive', String(KEEPALIVE_SECONDS), 'allowed-ips', `${inner}/128`],
    ]),
  ];
}
