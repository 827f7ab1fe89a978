import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPlatformError, type PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient, LxdOperation, StateAction } from '../client.js';
import type { ImageSource } from '../client-parts.js';
import { createLxdClient } from '../create-client.js';

export interface ContractTarget {
  readonly socket: string;
  /** Alias of an image whose instances have a shell and stop on SIGPWR. */
  readonly image: string;
  /** Image files that the server does not know yet. */
  readonly newImage: ImageSource;
  /** Address of the same server over HTTPS. */
  readonly url: string;
  close(): Promise<void>;
}

const PREFIX = 'contract-';

/** One client and one running instance for all cases; removes every instance that they leave behind. */
export class Fixture {
  #target: ContractTarget | undefined;
  #client: LxdClient | undefined;
  #folder = '';
  #count = 0;
  #fingerprint = '';
  /** Runs during all cases. */
  readonly shared = `${PREFIX}shared`;

  async open(target: ContractTarget): Promise<void> {
    this.#target = target;
    this.#client = createLxdClient({ socket: target.socket, waitSliceSeconds: 1 });
    this.#folder = await mkdtemp(join(tmpdir(), 'lxd-contract-'));
    this.#fingerprint = await this.client.images.resolveAlias(target.image);
    await this.#sweep();
    await this.make(this.shared);
    await this.change(this.shared, 'start');
  }

  async close(): Promise<void> {
    try {
      if (this.#client) await this.#sweep();
    } finally {
      await this.#client?.close();
      await this.#target?.close();
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  get client(): LxdClient {
    if (!this.#client) throw new Error('the fixture is not open');
    return this.#client;
  }

  get target(): ContractTarget {
    if (!this.#target) throw new Error('the fixture is not open');
    return this.#target;
  }

  get fingerprint(): string {
    return this.#fingerprint;
  }

  get folder(): string {
    return this.#folder;
  }

  newName(): string {
    this.#count += 1;
    return `${PREFIX}${this.#count}`;
  }

  begin(name: string, config: Readonly<Record<string, string>> = {}): Promise<LxdOperation> {
    return this.client.instances.create({ name, fingerprint: this.#fingerprint, profiles: ['default'], config, devices: {} });
  }

  /** A new stopped instance. */
  async make(name = this.newName(), config: Readonly<Record<string, string>> = {}): Promise<string> {
    await (await this.begin(name, config)).wait();
    return name;
  }

  async change(name: string, action: StateAction, force = false): Promise<void> {
    await (await this.client.instances.changeState(name, { action, timeoutSeconds: 20, force })).wait();
  }

  async remove(name: string): Promise<void> {
    await (await this.client.instances.delete(name)).wait();
  }

  async #sweep(): Promise<void> {
    const left = (await this.client.instances.list()).filter(({ name }) => name.startsWith(PREFIX));
    await Promise.all(
      left.map(async ({ name, status }) => {
        if (status !== 'Stopped') await this.change(name, 'stop', true);
        await this.remove(name);
      }),
    );
  }
}

/** The error that a promise ends in; itself an error when it ends well. */
export async function failureOf(promise: Promise<unknown>): Promise<PlatformError> {
  const outcome = await promise.then(
    (value) => new Error(`no failure, but ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (isPlatformError(outcome)) return outcome;
  throw outcome;
}
