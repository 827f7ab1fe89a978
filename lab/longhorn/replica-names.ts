/** No replica listens anywhere; each has a port of its own. */
export const ADDRESS = '10.42.0.1';
const FIRST_PORT = 10_000;

export const REBUILD_ERROR = 'failed to sync files: rpc error: code = Unknown desc = no space left on device';

export function replicaName(volume: string, count: number): string {
  return `${volume}-r-${count}`;
}

export function portOf(name: string): number {
  return FIRST_PORT + Number(/-r-(\d+)$/.exec(name)?.[1] ?? 0);
}
