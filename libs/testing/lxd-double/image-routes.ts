import { createHash } from 'node:crypto';
import { type DoubleImage, newImage } from './model.js';
import { type DoubleRequest, jsonBody, Refusal, type Reply, started, sync } from './reply.js';
import type { World } from './world.js';

export function images(world: World, request: DoubleRequest): Reply {
  if (request.method === 'POST') return isJson(request) ? publish(world, request) : importImage(world, request);
  const all = [...world.images.values()];
  return sync(request.query.get('recursion') === null ? all.map(({ fingerprint }) => `/1.0/images/${fingerprint}`) : all);
}

export function oneImage(world: World, request: DoubleRequest): Reply {
  const image = world.image(request.parts[1] ?? '');
  if (request.method === 'GET') return sync(image, { etag: etagOf(image) });
  if (request.method === 'PATCH') return patchImage(image, request);
  if (request.method !== 'DELETE') throw new Refusal(501, 'not implemented');
  const work = async () => {
    await world.pause();
    world.images.delete(image.fingerprint);
    return undefined;
  };
  return started(world.operations.start({ description: 'Deleting image', work }), world.faults.operationProject);
}

/** Properties that are not named stay (LXD 5.0.2, tried). */
function patchImage(image: DoubleImage, request: DoubleRequest): Reply {
  const match = request.headers['if-match'];
  if (match !== undefined && match !== etagOf(image)) throw new Refusal(412, `ETag doesn't match: ${etagOf(image)} vs ${match}`);
  const { properties = {} } = jsonBody(request) as { properties?: Record<string, string> };
  Object.assign(image.properties, properties);
  return sync({});
}

function etagOf({ properties }: DoubleImage): string {
  return createHash('sha256').update(JSON.stringify(properties)).digest('hex');
}

/** The fingerprint is the hash of the file, of both files for a split image (LXD 5.0.2, tried). */
function importImage(world: World, { body, headers }: DoubleRequest): Reply {
  const boundary = /boundary=(\S+)/.exec(headers['content-type'] ?? '')?.[1];
  const content = boundary === undefined ? body : joinParts(body, boundary);
  const fingerprint = createHash('sha256').update(content).digest('hex');
  const properties = Object.fromEntries(new URLSearchParams(String(headers['x-lxd-properties'] ?? '')));
  const work = async () => {
    await world.pause();
    if (world.images.has(fingerprint)) throw new Error('Image with same fingerprint already exists');
    world.images.set(fingerprint, newImage(undefined, { fingerprint, properties, size: content.length }));
    return { fingerprint, size: String(content.length) };
  };
  return started(world.operations.start({ description: 'Downloading image', work }), world.faults.operationProject);
}

function isJson({ headers }: DoubleRequest): boolean {
  return String(headers['content-type']).startsWith('application/json');
}

/** An image of an instance; a name that is not known fails in the operation. */
function publish(world: World, request: DoubleRequest): Reply {
  const {
    source,
    properties,
    aliases = [],
  } = jsonBody(request) as {
    source: { name: string };
    properties: Record<string, string>;
    aliases?: { name: string; description: string }[];
  };
  const work = async () => {
    await world.pause();
    const { name } = world.instance(source.name);
    const fingerprint = createHash('sha256').update(`${name} ${Date.now()} ${Math.random()}`).digest('hex');
    world.images.set(fingerprint, newImage(undefined, { fingerprint, properties, aliases }));
    return { fingerprint, size: '930396' };
  };
  return started(world.operations.start({ description: 'Downloading image', work }), world.faults.operationProject);
}

function joinParts(body: Buffer, boundary: string): Buffer {
  const parts = body.toString('latin1').split(`--${boundary}`).slice(1, -1);
  const contents = parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2));
  return Buffer.from(contents.join(''), 'latin1');
}

export function aliases(world: World, request: DoubleRequest): Reply {
  if (request.method === 'GET')
    return sync([...world.images.values()].flatMap((image) => image.aliases.map(({ name }) => `/1.0/images/aliases/${name}`)));
  const { name = '', target = '', description = '' } = jsonBody(request) as { name?: string; target?: string; description?: string };
  if ([...world.images.values()].some((image) => image.aliases.some((alias) => alias.name === name))) {
    throw new Refusal(409, `Alias "${name}" already exists`);
  }
  world.image(target).aliases.push({ name, description });
  return sync({});
}

export function oneAlias(world: World, request: DoubleRequest): Reply {
  const name = request.parts[2] ?? '';
  const image = world.imageByAlias(name);
  const described = image.aliases.find((alias) => alias.name === name)?.description ?? '';
  if (request.method === 'GET') return sync({ name, target: image.fingerprint, description: described, type: 'container' });
  const drop = (): void => {
    image.aliases.splice(0, image.aliases.length, ...image.aliases.filter((alias) => alias.name !== name));
  };
  if (request.method === 'DELETE') drop();
  else {
    const { target = '', description = '' } = jsonBody(request) as { target?: string; description?: string };
    const next = world.image(target);
    drop();
    next.aliases.push({ name, description });
  }
  return sync({});
}
