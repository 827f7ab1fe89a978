import type { Pod } from '#lab/cluster/kube.js';
import { http } from '#lab/http.js';

/** Of apps/lxd8s/member, at `/state`. */
export interface MemberSays {
  readonly phase: string;
  readonly why: string;
  readonly waits: boolean;
  readonly cluster?: string;
  readonly problems: Readonly<Record<string, string>>;
  readonly lxd: { readonly starts: number; readonly pid?: number };
  readonly preseed?: { readonly asWantedAt?: string; readonly problems: readonly string[]; readonly leftovers: readonly string[] };
}

/** What the member in that pod says of itself. */
export async function saysOfPod(member: string, pod: Pod | undefined): Promise<MemberSays> {
  const address = pod?.status.podIP;
  if (address === undefined) throw new Error(`${member} has no address`);
  return (await http(`http://${address}:9798/state`, { timeoutMs: 3_000 })).json<MemberSays>();
}
