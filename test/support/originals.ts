import type { Lab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { LEGACY_RECORD_KEY, RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import type { LxdInstanceState } from '#libs/lxd/types.js';

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
}
