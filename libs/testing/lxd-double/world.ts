import type { LxdClusterMember } from '#libs/lxd/types.js';
import { EventHub } from './events.js';
import { LxdFaults } from './faults.js';
import type { DoubleImage, DoubleInstance } from './model.js';
import { DoubleOperations } from './operations.js';
import { Refusal } from './reply.js';

export interface CannedResult {
  readonly exitCode: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export interface WorldOptions {
  /** How long create, start, stop and restart take; default 5 ms. */
  readonly operationMs?: number;
  /** How long after the POST of a create its row appears; default 2 ms. */
  readonly rowMs?: number;
  readonly serverName?: string;
  readonly certificateFingerprint?: string;
  readonly certificate?: string;
  /** Of the server. */
  readonly config?: Readonly<Record<string, string>>;
  /** Makes it a cluster. */
  readonly members?: readonly LxdClusterMember[];
  /** Bytes of its storage pool; default 100 GB, 1 GB used. */
  readonly pool?: { readonly totalBytes: number; readonly usedBytes: number };
  /** Commands of exec beyond the built-in ones; undefined: unknown command. */
  readonly exec?: (command: readonly string[], stdin: string, instance: DoubleInstance) => CannedResult | undefined;
}

export interface Trusted {
  readonly fingerprint: string;
  readonly name: string;
  readonly type: string;
  readonly restricted: boolean;
  readonly projects: readonly string[];
  readonly certificate: string;
}

/** Everything the double knows; the routes read and change it. */
export class World {
  readonly options: WorldOptions;
  readonly faults = new LxdFaults();
  readonly hub = new EventHub(this.faults);
  readonly operations = new DoubleOperations(this.hub, this.faults);
  readonly instances = new Map<string, DoubleInstance>();
  readonly images = new Map<string, DoubleImage>();
  readonly certificates = new Map<string, Trusted>();
  readonly pool: { readonly totalBytes: number; readonly usedBytes: number };
  /** Which start of the daemon this is. */
  generation = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.pool = options.pool ?? { totalBytes: 100e9, usedBytes: 1e9 };
  }

  instance(name: string): DoubleInstance {
    const instance = this.instances.get(name);
    if (!instance) throw new Refusal(404, 'Instance not found');
    if (this.faults.errorInstances.has(name)) throw new Refusal(500, 'Missing event connection with target cluster member');
    return instance;
  }

  image(fingerprint: string): DoubleImage {
    const found = [...this.images.values()].filter((image) => image.fingerprint.startsWith(fingerprint));
    if (found.length !== 1 || !found[0]) throw new Refusal(404, 'Image not found');
    return found[0];
  }

  imageByAlias(alias: string): DoubleImage {
    const found = [...this.images.values()].find(({ aliases }) => aliases.some(({ name }) => name === alias));
    if (!found) throw new Refusal(404, 'Image alias not found');
    return found;
  }

  /** The time that an operation of LXD takes. Throws when the daemon was killed meanwhile. */
  async pause(ms = this.options.operationMs ?? 5): Promise<void> {
    const { generation } = this;
    await new Promise<void>((resolve) => setTimeout(resolve, ms));
    if (this.generation !== generation) throw new Error('the daemon was killed');
  }
}
