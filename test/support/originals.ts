import type { Lab } from '#lab/harness.js';
import type { HttpAnswer } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { AdoptionPlan } from '#libs/contracts/adoption.js';
import { LEGACY_RECORD_KEY, RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import type { LxdInstanceState } from '#libs/lxd/types.js';
import type { OperationDetail } from '#libs/temporal/operations.js';

export interface OriginalRecord {
  readonly user: number;
  readonly config?: { readonly startupDelay: number; readonly httpPort: number; readonly sniPassthrough: boolean } | null;
  readonly domains?: readonly string[] | null;
  readonly ports?: Readonly<Record<string, number>> | null;
}

/** Webspaces as the original left them: its record in the instance's config, the profile's nic, an address by DHCP. */
export class Originals {
  constructor(private readonly lab: Lab) {}

  /** As the original wrote it when a webspace was made. */
  recordOf(user: number, parts: Partial<OriginalRecord> = {}): OriginalRecord {
    return { user, config: { startupDelay: 3, httpPort: 80, sniPassthrough: false }, domains: [], ports: {}, ...parts };
  }

  async make(user: number, record: OriginalRecord | string = this.recordOf(user)): Promise<string> {
    const name = `ws-u${user}`;
    const text = typeof record === 'string' ? record : JSON.stringify(record);
    await this.lab.lxc(['init', 'hello', name, '-c', `${LEGACY_RECORD_KEY}=${text}`]);
    return name;
  }

  async start(name: string): Promise<void> {
    await this.lab.lxc(['start', name]);
    await waitFor(`an address of ${name}`, () => this.address(name), { timeoutMs: 20_000 });
  }

  state(name: string): Promise<LxdInstanceState> {
    return this.lab.stack.lxd.client.request<LxdInstanceState>('GET', `/1.0/instances/${name}/state`);
  }

  async address(name: string): Promise<string | undefined> {
    const { network } = await this.state(name);
    return network?.['eth0']?.addresses.find(({ family, scope }) => family === 'inet' && scope === 'global')?.address;
  }

  /** Our record, or undefined while there is only the original's. */
  async ours(name: string): Promise<{ readonly uid: string; readonly owner: object; readonly network: { address?: string } } | undefined> {
    const text = (await this.lab.lxc(['config', 'get', name, RECORD_KEY])).trim();
    return text === '' ? undefined : (JSON.parse(text) as { uid: string; owner: object; network: { address?: string } });
  }

  async theirs(name: string): Promise<string> {
    return (await this.lab.lxc(['config', 'get', name, LEGACY_RECORD_KEY])).trim();
  }

  /** What an adoption would change. */
  async plan(): Promise<AdoptionPlan> {
    return (await this.#adoption(200, true)).json<AdoptionPlan>();
  }

  /** Adopts everything; gives the operation once it has ended. */
  async adoptAll(): Promise<OperationDetail> {
    const { id } = (await this.#adoption(202, false)).json<{ id: string }>();
    const ended = async () => {
      const operation = (await this.lab.api('admin', 'GET', `/v2/operations/${id}`)).json<OperationDetail>();
      return operation.status === 'running' ? undefined : operation;
    };
    return waitFor('the adoption to end', ended, { timeoutMs: 120_000, intervalMs: 100 });
  }

  async #adoption(status: number, dryRun: boolean): Promise<HttpAnswer> {
    const answer = await this.lab.api('admin', 'POST', '/v2/adoptions', { dryRun });
    if (answer.status !== status) throw new Error(`POST /v2/adoptions: ${answer.status} ${answer.body}`);
    return answer;
  }
}

/** The last line of an adoption: how many were converted. */
export function reportOf({ steps }: OperationDetail): string | undefined {
  return steps?.find(({ name }) => name === 'report')?.summary;
}
