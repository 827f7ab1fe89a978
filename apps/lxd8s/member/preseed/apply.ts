import { z } from 'zod';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Connection } from '#libs/lxd/connection.js';
import { apiPath } from '#libs/lxd/paths.js';
import {
  type Change,
  type Content,
  type List,
  MARK,
  markFor,
  merged,
  type Present,
  partOf,
  type Wanted,
  type World,
} from './difference.js';
import type { Preseed } from './schema.js';

const PATHS: Readonly<Record<List, string>> = {
  projects: 'projects',
  storage_pools: 'storage-pools',
  networks: 'networks',
  profiles: 'profiles',
};
const orEmpty = <T extends z.ZodType>(schema: T, empty: z.output<T>) => schema.nullish().transform((value) => value ?? empty);
const strings = z.record(z.string(), z.string());
const object = z.looseObject({
  name: z.string(),
  description: z.string().default(''),
  config: orEmpty(strings, {}),
  devices: orEmpty(z.record(z.string(), strings), {}),
  driver: z.string().optional(),
  type: z.string().optional(),
  status: z.string().optional(),
  managed: z.boolean().optional(),
});
const server = z.looseObject({ config: orEmpty(z.record(z.string(), z.unknown()), {}) });

/** All that a preseed may speak of, as LXD has it. */
export async function readWorld(lxd: Connection, { projects, networks, profiles }: Preseed, signal: AbortSignal): Promise<World> {
  const { value } = await lxd.read({ path: apiPath([]), what: 'read the server' }, server, { signal });
  const config = Object.fromEntries(Object.entries(value.config).map(([key, text]) => [key, String(text)]));
  const known = await readList(lxd, 'projects', 'default', signal);
  const spoken = new Set([...[...networks, ...profiles].map(({ project }) => project), ...projects.map(({ name }) => name)]);
  const inProjects = async (list: 'networks' | 'profiles') => {
    // A project without its own shows those of `default`.
    const own = known.filter(({ name, config }) => name === 'default' || (spoken.has(name) && config[`features.${list}`] === 'true'));
    return (await Promise.all(own.map(({ name }) => readList(lxd, list, name, signal)))).flat();
  };
  return {
    config,
    lists: {
      projects: known,
      storage_pools: await readList(lxd, 'storage_pools', 'default', signal),
      networks: await inProjects('networks'),
      profiles: await inProjects('profiles'),
    },
  };
}

/** @throws what LXD refuses it with; STALE when somebody else changed the object meanwhile. */
export async function applyChange(lxd: Connection, change: Change, members: readonly string[], signal: AbortSignal): Promise<void> {
  if (change.do === 'configure') {
    await lxd.change({ method: 'PATCH', path: apiPath([]), body: { config: change.config }, what: 'configure the server' }, { signal });
  } else if (change.do === 'create') await create(lxd, change.wanted, members, signal);
  else if (change.do === 'finish') await finish(lxd, change.wanted, signal);
  else await update(lxd, change.wanted, signal);
}

/** What each member has of its own of a pool or a network comes first, member by member; the second time round some have it already. */
async function create(lxd: Connection, wanted: Wanted, members: readonly string[], signal: AbortSignal): Promise<void> {
  const { list, name, project } = wanted;
  const { shared, ofMembers } = partOf(list, wanted.config);
  const what = `make ${list.replace('_', ' ')} ${name}`;
  if (list === 'storage_pools' || list === 'networks') {
    for (const target of members) {
      const body = { ...sortOf(wanted), name, config: ofMembers };
      const path = apiPath([PATHS[list]], { target, ...(list === 'networks' ? { project } : {}) });
      await lxd.change({ method: 'POST', path, body, what: `${what} on ${target}` }, { signal }).catch(unlessThere);
    }
  }
  const config = { ...shared, [MARK]: markFor(shared, wanted.devices) };
  const body = {
    ...sortOf(wanted),
    name,
    description: wanted.description ?? '',
    config,
    ...(list === 'profiles' ? { devices: wanted.devices } : {}),
  };
  const path = apiPath([PATHS[list]], list === 'networks' || list === 'profiles' ? { project } : {});
  await lxd.change({ method: 'POST', path, body, what }, { signal });
}

/** LXD has kept what all share, and refuses to be told again ("already partially created", its `storagePoolsPostCluster` and `networksPostCluster`); who has made its part does nothing. */
async function finish(lxd: Connection, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const { list, name, project, description = '' } = wanted;
  const path = apiPath([PATHS[list]], list === 'networks' ? { project } : {});
  const body = { ...sortOf(wanted), name, description };
  await lxd.change({ method: 'POST', path, body, what: `finish ${list.replace('_', ' ')} ${name}` }, { signal });
}

function sortOf({ list, sort }: Wanted): object {
  return { ...(list === 'storage_pools' ? { driver: sort } : {}), ...(list === 'networks' ? { type: sort } : {}) };
}

async function update(lxd: Connection, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const { list, name, project } = wanted;
  const path = apiPath([PATHS[list], name], list === 'networks' || list === 'profiles' ? { project } : {});
  const what = `change ${list.replace('_', ' ')} ${name}`;
  const { value, http } = await lxd.read({ path, what }, object, { signal });
  const { devices, ...next }: Content = merged(wanted, value);
  const body = { ...next, ...(list === 'profiles' ? { devices } : {}) };
  const etag = http.headers.etag;
  await lxd.change({ method: 'PUT', path, body, what, ...(etag ? { headers: { 'if-match': etag } } : {}) }, { signal });
}

async function readList(lxd: Connection, list: List, project: string, signal: AbortSignal): Promise<Present[]> {
  const query = { recursion: 1, ...(list === 'networks' || list === 'profiles' ? { project } : {}) };
  const { value } = await lxd.read({ path: apiPath([PATHS[list]], query), what: `list ${list}` }, z.array(object), { signal });
  return value
    .filter(({ managed }) => managed !== false)
    .map(({ name, description, config, devices, driver, type, status }) => {
      const sort = list === 'storage_pools' ? driver : list === 'networks' ? type : undefined;
      const made = status === 'Errored' ? 'partly' : status === 'Pending' ? 'announced' : 'wholly';
      return { name, project, description, config, devices, made, ...(sort === undefined ? {} : { sort }) };
    });
}

function unlessThere(error: unknown): void {
  const there = isPlatformError(error) && /already (defined|exists)/.test(error.message);
  if (!there) throw error;
}
