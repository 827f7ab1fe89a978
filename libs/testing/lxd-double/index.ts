import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LxdImage } from '#libs/lxd/types.js';
import type { LxdFaults } from './faults.js';
import { DoubleServer } from './http-server.js';
import { powerOff, powerOn } from './lifecycle.js';
import { type DoubleImage, type DoubleInstance, newImage, newInstance, newVolatile } from './model.js';
import { World, type WorldOptions } from './world.js';

export type { FaultLimits, ForeignAnswer, LxdFaults } from './faults.js';
export type { DoubleImage, DoubleInstance } from './model.js';

export interface LxdDoubleOptions extends WorldOptions {
  /** Aliases of images that are there from the beginning; default `hello`. */
  readonly images?: readonly string[];
  /** PEM; also listens on HTTPS. Clients are trusted once their certificate is in the trust store. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface LxdDouble {
  readonly socket: string;
  /** With `tls`: `https://127.0.0.1:<port>`. */
  readonly url: string | undefined;
  readonly faults: LxdFaults;
  readonly instances: ReadonlyMap<string, DoubleInstance>;
  readonly images: ReadonlyMap<string, DoubleImage>;
  /** `METHOD /path?query` of each request so far. */
  readonly requests: readonly string[];
  /** Event streams that are open now. */
  readonly listeners: number;
  /** Pings of event streams so far that were answered. */
  readonly answeredPings: number;
  /** Puts an instance in place, as if it had been created (and started) long ago. */
  addInstance(name: string, given?: Partial<DoubleInstance> & { readonly image?: string }): DoubleInstance;
  addImage(alias: string | undefined, given?: Partial<LxdImage>): DoubleImage;
  removeInstance(name: string): void;
  /** Power-off from inside the instance. */
  powerOff(name: string): void;
  /** Reboot from inside the instance. */
  rebootInside(name: string): void;
  cutEvents(): void;
  /** Cuts every connection, idle ones too. */
  cutConnections(): void;
  /** SIGKILL of the daemon and its next start: connections and operations are gone, what was being created stays half-made. */
  restart(): void;
  close(): Promise<void>;
}

/** Starts an in-process double of LXD 5.0.2 on a unix socket of its own. */
export async function startLxdDouble(options: LxdDoubleOptions = {}): Promise<LxdDouble> {
  const world = new World({
    ...options,
    ...(options.tls ? { certificate: options.tls.cert, certificateFingerprint: fingerprintOf(options.tls.cert) } : {}),
  });
  const server = new DoubleServer(world);
  const folder = await mkdtemp(join(tmpdir(), 'lxd-double-'));
  const socket = join(folder, 'unix.socket');
  await server.listen(socket);
  const tls = options.tls ? await server.listen(options.tls) : undefined;
  const addImage = (alias: string | undefined, given?: Partial<LxdImage>): DoubleImage => {
    const image = newImage(alias, given);
    world.images.set(image.fingerprint, image);
    return image;
  };
  for (const alias of options.images ?? ['hello']) addImage(alias);
  const must = (name: string): DoubleInstance => {
    const instance = world.instances.get(name);
    if (!instance) throw new Error(`the double has no instance ${name}`);
    return instance;
  };
  const cutConnections = (): void => server.cutConnections();
  return {
    socket,
    url: tls ? `https://127.0.0.1:${(tls.address() as AddressInfo).port}` : undefined,
    faults: world.faults,
    instances: world.instances,
    images: world.images,
    requests: server.requests,
    get listeners() {
      return world.hub.size;
    },
    get answeredPings() {
      return world.hub.answered;
    },
    addImage,
    addInstance: (name, { image, config, ...given } = {}) => {
      const from = image === undefined ? [...world.images.values()][0] : world.imageByAlias(image);
      const instance = newInstance(name, {
        ...given,
        config: { ...(from ? newVolatile(from) : {}), 'volatile.apply_template': 'create', ...config },
      });
      if (instance.status !== 'Stopped') powerOn(instance);
      if (given.status === 'Frozen') instance.status = 'Frozen';
      world.instances.set(name, instance);
      world.hub.lifecycle('instance-created', name);
      return instance;
    },
    removeInstance: (name) => {
      if (world.instances.delete(name)) world.hub.lifecycle('instance-deleted', name);
    },
    powerOff: (name) => {
      powerOff(must(name));
      world.hub.lifecycle('instance-shutdown', name);
    },
    rebootInside: (name) => {
      powerOn(must(name));
      world.hub.lifecycle('instance-shutdown', name);
      world.hub.lifecycle('instance-restarted', name);
    },
    cutEvents: () => world.hub.cut(),
    cutConnections,
    restart: () => {
      world.generation += 1;
      cutConnections();
      world.operations.clear();
      server.attachments.clear();
      for (const instance of world.instances.values()) {
        // Whatever ran on it goes nowhere; its row stays as it was.
        if (instance.busy) world.instances.set(instance.name, { ...instance, busy: undefined });
      }
    },
    close: async () => {
      world.hub.close();
      world.operations.clear();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}
