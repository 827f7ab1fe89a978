import { Inject, Injectable } from '@nestjs/common';
import { isArchive } from '#libs/domain/archive.js';
import { parseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, noWebspace } from '#libs/errors/platform-error.js';
import type { LxdImage, LxdInstance, LxdInstanceState } from '#libs/lxd/types.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import { NextFlight } from './next-flight.js';

/** An instance that is a webspace, with its record. */
export interface WebspaceReading {
  readonly instance: LxdInstance;
  readonly record: WebspaceRecord;
}

/** Reads from LXD, shared between requests. */
@Injectable()
export class LxdReads {
  readonly #deps: ApiDependencies;
  readonly #instances: NextFlight<LxdInstance>;
  readonly #states: NextFlight<LxdInstanceState>;
  readonly #lists: NextFlight<LxdInstance[]>;
  readonly #images: NextFlight<LxdImage[]>;

  constructor(@Inject(DEPENDENCIES) deps: ApiDependencies) {
    this.#deps = deps;
    this.#instances = new NextFlight((how) => deps.metrics.lxdRead('instance', how));
    this.#states = new NextFlight((how) => deps.metrics.lxdRead('state', how));
    this.#lists = new NextFlight((how) => deps.metrics.lxdRead('instances', how));
    this.#images = new NextFlight((how) => deps.metrics.lxdRead('images', how));
  }

  get #options() {
    return { timeoutMs: this.#deps.config.limits.lxdTimeoutMs };
  }

  /** @throws PlatformError NOT_FOUND, UNAVAILABLE. */
  instance(name: string): Promise<LxdInstance> {
    return this.#instances.read(name, async () => (await this.#deps.lxd.instances.get(name, this.#options)).value);
  }

  /** The instance of a webspace that must be there. @throws PlatformError NOT_FOUND with what to do; UNAVAILABLE. */
  async existing(name: string): Promise<LxdInstance> {
    try {
      return await this.instance(name);
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) throw noWebspace(name);
      throw error;
    }
  }

  /** @throws PlatformError NOT_FOUND when there is no such webspace; PROTOCOL when its record cannot be read; UNAVAILABLE. */
  async webspace(name: string): Promise<WebspaceReading> {
    const instance = await this.existing(name);
    const record = parseRecord(instance);
    if (!record) throw noWebspace(name);
    return { instance, record };
  }

  /** The instance of that name, webspace or not; undefined when there is none. @throws PlatformError UNAVAILABLE. */
  async find(name: string): Promise<LxdInstance | undefined> {
    try {
      return await this.instance(name);
    } catch (error) {
      if (isPlatformError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Whether there is an instance of that name, webspace or not. @throws PlatformError UNAVAILABLE. */
  async exists(name: string): Promise<boolean> {
    return (await this.find(name)) !== undefined;
  }

  state(name: string): Promise<LxdInstanceState> {
    return this.#states.read(name, () => this.#deps.lxd.instances.state(name, this.#options));
  }

  instances(): Promise<LxdInstance[]> {
    return this.#lists.read('', () => this.#deps.lxd.instances.list(this.#options));
  }

  /** The images that webspaces are made from; archives of webspaces are nobody's business. */
  images(): Promise<LxdImage[]> {
    return this.#images.read('', async () => (await this.#deps.lxd.images.list(this.#options)).filter((image) => !isArchive(image)));
  }
}
