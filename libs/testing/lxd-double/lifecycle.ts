import { type Busy, type DoubleInstance, newInstance, newVolatile } from './model.js';
import type { DoubleOperation } from './operations.js';
import { Refusal } from './reply.js';
import type { World } from './world.js';

const REQUESTOR = { requestor: { username: 'root', protocol: 'unix', address: '@' } };
const KNOWN_KEYS =
  /^(user|volatile|image|environment|raw|cloud-init|security|boot|snapshots|migration|linux\.(kernel|sysctl)|limits\.kernel)\.|^limits\.(cpu|memory|processes|disk|network|hugepages)(\.(allowance|priority|enforce|swap))?$/;

export function checkKeys(config: Readonly<Record<string, string>>): void {
  for (const key of Object.keys(config)) if (!KNOWN_KEYS.test(key)) throw new Error(`Unknown configuration key: ${key}`);
}

/** Holds the instance while `work` runs; others are told that it is busy. */
async function hold(instance: DoubleInstance, kind: Busy, work: () => Promise<void>): Promise<void> {
  const busy = { kind, ended: work() };
  instance.busy = busy;
  try {
    await busy.ended;
  } finally {
    if (instance.busy === busy) instance.busy = undefined;
  }
}

function busyText(what: string, instance: DoubleInstance): string {
  return `${what}: Instance is busy running a "${instance.busy?.kind}" operation`;
}

export interface CreateSpec {
  readonly name: string;
  readonly fingerprint: string;
  readonly profiles: string[];
  readonly config: Record<string, string>;
  readonly devices: DoubleInstance['devices'];
}

/** The row is in the database long before the root filesystem is unpacked; `volatile.apply_template` is set when it is. */
export function create(world: World, spec: CreateSpec): DoubleOperation {
  return world.operations.start({
    description: 'Creating instance',
    instance: spec.name,
    work: async () => {
      await world.pause(world.options.rowMs ?? 2);
      const image = world.images.get(spec.fingerprint);
      if (!image) throw new Error('Image not provided for instance creation');
      const taken = world.instances.get(spec.name);
      if (taken?.busy) throw new Error(busyText('Failed creating instance record', taken));
      if (taken)
        throw new Error('Failed creating instance record: Add instance info to the database: This "instances" entry already exists');
      prefixed('Failed creating instance record', () => checkKeys(spec.config));
      const { profiles, devices } = spec;
      const instance = newInstance(spec.name, { profiles, devices, config: { ...newVolatile(image), ...spec.config }, halfMade: true });
      world.instances.set(spec.name, instance);
      await hold(instance, 'create', () => world.pause());
      if (world.instances.get(spec.name) !== instance) return undefined;
      instance.halfMade = false;
      instance.config = { ...instance.config, 'volatile.apply_template': 'create' };
      world.hub.lifecycle('instance-created', spec.name, { context: { type: 'container' } });
      return { progress: { stage: 'create_instance_from_image_unpack', percent: '100', speed: '1' } };
    },
  });
}

export interface StateChange {
  readonly action: string;
  readonly timeout: number;
  readonly force: boolean;
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  start: 'Starting instance',
  stop: 'Stopping instance',
  restart: 'Restarting instance',
  freeze: 'Freezing instance',
  unfreeze: 'Unfreezing instance',
};

export function changeState(world: World, instance: DoubleInstance, change: StateChange): DoubleOperation {
  const description = DESCRIPTIONS[change.action];
  if (!description) throw new Refusal(400, `Unknown action: '${change.action}'`);
  const work = async () => {
    await WORK[change.action]?.(world, instance, change);
    return undefined;
  };
  return world.operations.start({ description, instance: instance.name, work });
}

type Work = (world: World, instance: DoubleInstance, change: StateChange) => Promise<void>;

const start: Work = async (world, instance) => {
  if (instance.status !== 'Stopped') throw new Error('The instance is already running');
  if (instance.busy?.kind === 'start') return await instance.busy.ended;
  if (instance.busy) throw new Error(busyText('Failed to create instance start operation', instance));
  if (instance.halfMade) throw new Error('Instance storage pool not found');
  await hold(instance, 'start', async () => {
    await world.pause();
    powerOn(instance);
  });
  world.hub.lifecycle('instance-started', instance.name, REQUESTOR);
};

const stop: Work = async (world, instance, { timeout, force }) => {
  if (instance.status === 'Stopped') throw new Error('The instance is already stopped');
  if (instance.busy && instance.busy.kind !== 'stop') throw new Error(busyText('Failed to create instance stop operation', instance));
  const forced = force || timeout === 0;
  if (instance.busy && !forced) return await instance.busy.ended;
  await hold(instance, 'stop', () => goDown(world, instance, { timeout, force: forced }));
  world.hub.lifecycle(forced ? 'instance-stopped' : 'instance-shutdown', instance.name, REQUESTOR);
};

const restart: Work = async (world, instance, change) => {
  if (instance.status === 'Stopped') throw new Error('The instance is already stopped');
  if (instance.busy) throw new Error(busyText('Create restart operation', instance));
  await hold(instance, 'restart', async () => {
    await goDown(world, instance, change);
    await world.pause();
    powerOn(instance);
  });
  world.hub.lifecycle('instance-restarted', instance.name, REQUESTOR);
};

const WORK: Readonly<Record<string, Work>> = {
  start,
  stop,
  restart,
  freeze: async (world, instance) => {
    if (instance.status === 'Stopped') throw new Error("The container isn't running");
    if (instance.status === 'Frozen') throw new Error('The container is already frozen');
    instance.status = 'Frozen';
    world.hub.lifecycle('instance-paused', instance.name, REQUESTOR);
  },
  unfreeze: async (world, instance) => {
    if (instance.status === 'Stopped') throw new Error("The container isn't running");
    if (instance.status === 'Running') throw new Error('The container is already running');
    instance.status = 'Running';
    world.hub.lifecycle('instance-resumed', instance.name, REQUESTOR);
  },
};

async function goDown(world: World, instance: DoubleInstance, { timeout, force }: Pick<StateChange, 'timeout' | 'force'>): Promise<void> {
  const endsAt = timeout > 0 ? Date.now() + timeout * 1000 : Number.POSITIVE_INFINITY;
  await world.pause();
  while (!force && instance.ignoresShutdown && instance.status !== 'Stopped') {
    if (Date.now() >= endsAt) {
      throw new Error('Failed shutting down instance, status is "Running": shutting down the container failed');
    }
    await world.pause(10);
  }
  if (instance.status !== 'Stopped') powerOff(instance);
}

export function powerOn(instance: DoubleInstance): void {
  const { 'volatile.apply_template': _applied, ...config } = instance.config;
  instance.config = { ...config, 'volatile.last_state.power': 'RUNNING' };
  instance.status = 'Running';
  // An init that traps the signals, as a test may put it there.
  instance.ignoresShutdown ||= /trap ''/.test(instance.files.get('/sbin/init')?.content.toString() ?? '');
  instance.lastUsedAt = new Date().toISOString();
  instance.consoleLog ??= Buffer.from('\r\nBusyBox built-in shell (ash)\r\n/ # ');
  instance.logs.set('lxc.log', Buffer.from('lxc log of the double\n'));
}

export function powerOff(instance: DoubleInstance): void {
  instance.config = { ...instance.config, 'volatile.last_state.power': 'STOPPED' };
  instance.status = 'Stopped';
}

export function remove(world: World, instance: DoubleInstance): DoubleOperation {
  if (instance.status !== 'Stopped') throw new Refusal(400, 'Instance is running');
  return world.operations.start({
    description: 'Deleting instance',
    instance: instance.name,
    work: async () => {
      if (instance.busy) throw new Error(busyText('Failed to create instance delete operation', instance));
      await hold(instance, 'delete', () => world.pause());
      if (world.instances.get(instance.name) === instance) world.instances.delete(instance.name);
      world.hub.lifecycle('instance-deleted', instance.name);
      return undefined;
    },
  });
}

function prefixed(prefix: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(`${prefix}: ${(error as Error).message}`);
  }
}
