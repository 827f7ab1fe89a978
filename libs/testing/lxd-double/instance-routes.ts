import { changeState, checkKeys, create, remove } from './lifecycle.js';
import { type DoubleInstance, etagOf, instanceToWire, stateToWire, unreachableToWire } from './model.js';
import { type DoubleRequest, jsonBody, Refusal, type Reply, started, sync } from './reply.js';
import type { World } from './world.js';

const NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,62}$/;

export function listInstances({ faults, instances }: World, { query }: DoubleRequest): Reply {
  const all = faults.emptyList ? [] : [...instances.values()];
  if (query.get('recursion') === null) return sync(all.map(({ name }) => `/1.0/instances/${name}`));
  return sync(all.map((instance) => (faults.errorInstances.has(instance.name) ? unreachableToWire(instance) : instanceToWire(instance))));
}

export function createInstance(world: World, request: DoubleRequest): Reply {
  const { name, source, profiles, config, devices } = jsonBody(request) as {
    name?: string;
    source?: { type?: string; fingerprint?: string; alias?: string };
    profiles?: string[];
    config?: Record<string, string>;
    devices?: DoubleInstance['devices'];
  };
  if (source?.type !== 'image') throw new Refusal(400, `Unknown source type ${source?.type ?? ''}`);
  if (!NAME.test(name ?? '')) throw new Refusal(400, 'Invalid instance name: Name can only contain alphanumeric and hyphen characters');
  const unknown = profiles?.find((profile) => profile !== 'default');
  if (unknown !== undefined) throw new Refusal(500, `Requested profile "${unknown}" doesn't exist`);
  const fingerprint = source.alias === undefined ? (source.fingerprint ?? '') : world.imageByAlias(source.alias).fingerprint;
  const spec = { name: name ?? '', fingerprint, profiles: profiles ?? ['default'], config: config ?? {}, devices: devices ?? {} };
  return started(create(world, spec), world.faults.operationProject);
}

export function oneInstance(world: World, request: DoubleRequest): Reply {
  const instance = world.instance(request.parts[1] ?? '');
  const { operationProject } = world.faults;
  switch (request.method) {
    case 'GET':
      return sync(instanceToWire(instance), { etag: `"${etagOf(instance)}"` });
    case 'PATCH':
      return patch(world, instance, request);
    case 'DELETE':
      return started(remove(world, instance), operationProject);
    default:
      throw new Refusal(501, 'not implemented');
  }
}

export function instanceState(world: World, request: DoubleRequest): Reply {
  const instance = world.instance(request.parts[1] ?? '');
  if (request.method === 'GET') return sync(stateToWire(instance));
  if (request.method !== 'PUT') throw new Refusal(501, 'not implemented');
  const { action = '', timeout = -1, force = false } = jsonBody(request) as { action?: string; timeout?: number; force?: boolean };
  return started(changeState(world, instance, { action, timeout, force }), world.faults.operationProject);
}

function patch(world: World, instance: DoubleInstance, request: DoubleRequest): Reply {
  const ifMatch = request.headers['if-match']?.replace(/"/g, '');
  const etag = etagOf(instance);
  const stale = ifMatch !== undefined && world.faults.staleEtags > 0;
  if (stale) world.faults.staleEtags -= 1;
  if (stale || (ifMatch !== undefined && ifMatch !== etag)) throw new Refusal(412, `ETag doesn't match: ${etag} vs ${ifMatch}`);
  if (instance.busy) {
    throw new Refusal(500, `Failed to create instance update operation: Instance is busy running a "${instance.busy.kind}" operation`);
  }
  const { config = {}, devices = {} } = jsonBody(request) as { config?: Record<string, string>; devices?: DoubleInstance['devices'] };
  try {
    checkKeys(config);
  } catch (error) {
    throw new Refusal(500, `Invalid config: ${(error as Error).message}`);
  }
  instance.config = { ...instance.config, ...config };
  // An empty value removes a key.
  for (const [key, value] of Object.entries(config)) if (value === '') delete instance.config[key];
  instance.devices = { ...instance.devices, ...devices };
  world.hub.lifecycle('instance-updated', instance.name);
  return sync({});
}
