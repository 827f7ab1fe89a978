/** The part of autocannon's interface that the benchmarks use (it brings no types of its own). */
declare module 'autocannon' {
  export interface Client {
    setRequests(requests: readonly { path: string; headers?: Readonly<Record<string, string>> }[]): void;
  }

  export interface Options {
    readonly url: string;
    readonly socketPath?: string;
    /** Of the ClientHello. */
    readonly servername?: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration?: number;
    readonly amount?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly setupClient?: (client: Client) => void;
  }

  export interface Result {
    readonly requests: { readonly average: number; readonly total: number };
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
    readonly non2xx: number;
    readonly errors: number;
    readonly timeouts: number;
  }

  export default function autocannon(options: Options): Promise<Result>;
}
