import type { Protocol } from './operations.js';

/** Any host's page of this path is the `http` gateway's own: it answers 200 with {@link GATEWAY_HEADER} and boots nothing. */
export const GATEWAY_PROBE_PATH = '/.well-known/webspaces-gateway';

/** Holds the host name of the gateway's process. */
export const GATEWAY_HEADER = 'webspaces-gateway';

/** Protocol in the ALPN list of a ClientHello that the gateway answers with {@link GATEWAY_LINE}, in plain text, and an end; it boots nothing. */
export const GATEWAY_ALPN = 'webspaces-gateway';
export const GATEWAY_LINE = 'webspaces-gateway\n';

/** Path at the `ports` gateway's address of health and metrics, followed by the name of a webspace: {@link PortsStatus}. */
export const PORTS_STATUS_PATH = '/status/';

/** What the kernel forwards to a webspace now. */
export interface PortsStatus {
  readonly name: string;
  readonly uid: string;
  /** Whether the process is the one that forwards. */
  readonly active: boolean;
  readonly kernel: readonly `${Protocol}-${number}`[];
  /** When it was last talked to by a forwarded port, ISO 8601; absent while this gateway has seen nothing. */
  readonly lastTraffic?: string;
}
