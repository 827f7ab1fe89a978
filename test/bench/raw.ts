import { isPlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient, StateAction } from '#libs/lxd/client.js';
import { LXD_STATUS } from '#libs/lxd/types.js';
import { inLanes } from './statistics.js';

const PREFIX = 'raw-';

/** The same instances as a webspace's, made by LXD's REST API alone. */
export class RawInstances {
  #count = 0;

  private constructor(
    private readonly lxd: LxdClient,
    private readonly fingerprint: string,
    /** Of the lower half of the subnet, which the platform does not give out. */
    private readonly addressPrefix: string,
  ) {}

  static async open(lxd: LxdClient, containerSubnet: string): Promise<RawInstances> {
    const network = containerSubnet.split('.').slice(0, 2).join('.');
    return new RawInstances(lxd, await lxd.images.resolveAlias('hello'), `${network}.100`);
  }

  nextName(): string {
    this.#count += 1;
    return `${PREFIX}${this.#count}`;
  }

  /** Milliseconds until LXD says that it is made. */
  async create(name: string): Promise<number> {
    const address = `${this.addressPrefix}.${1 + (Number(name.slice(PREFIX.length)) % 250)}`;
    return timed(async () => {
      const operation = await this.lxd.instances.create({
        name,
        fingerprint: this.fingerprint,
        profiles: ['default'],
        config: { 'user.benchmark': 'raw' },
        devices: { eth0: { type: 'nic', network: 'lxdbr0', name: 'eth0', 'ipv4.address': address } },
      });
      await operation.wait();
    });
  }

  change(name: string, action: StateAction): Promise<number> {
    return timed(async () => {
      const change = { action, timeoutSeconds: 30, force: action === 'stop' };
      await (await this.lxd.instances.changeState(name, change)).wait();
    });
  }

  async remove(name: string): Promise<void> {
    await (await this.lxd.instances.delete(name)).wait();
  }

  async removeAll(): Promise<void> {
    const ours = (await this.lxd.instances.list()).filter(({ name }) => name.startsWith(PREFIX));
    await inLanes(ours, 4, async ({ name, status_code }) => {
      if (status_code !== LXD_STATUS.stopped) await this.change(name, 'stop');
      await this.remove(name).catch((error: unknown) => {
        if (!isPlatformError(error, 'NOT_FOUND')) throw error;
      });
    });
  }
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
