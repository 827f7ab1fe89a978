import type { Preseed } from './schema.js';

type Strings = Readonly<Record<string, string>>;

/** What the preseed set is noted here in each object, so that what it no longer has is taken away, and what others set stays. */
export const MARK = 'user.webspaces.preseed';

export const LISTS = ['projects', 'storage_pools', 'networks', 'profiles'] as const;
export type List = (typeof LISTS)[number];

/** What may be compared and written of any object of the lists. */
export interface Content {
  readonly description: string;
  readonly config: Strings;
  readonly devices: Readonly<Record<string, Strings>>;
}

export interface Present extends Content {
  readonly name: string;
  readonly project: string;
  /** Driver of a pool, type of a network. */
  readonly sort?: string;
  /** Its making was cut off: `announced` on members only, `partly` when LXD has the part that all share as well. */
  readonly made: 'wholly' | 'partly' | 'announced';
}

export interface World {
  readonly config: Strings;
  readonly lists: Readonly<Record<List, readonly Present[]>>;
}

export interface Wanted {
  readonly list: List;
  readonly name: string;
  readonly project: string;
  readonly sort?: string;
  readonly description?: string | undefined;
  readonly config: Strings;
  readonly devices: Readonly<Record<string, Strings>>;
}

export type Change =
  | { readonly do: 'create' | 'finish' | 'update'; readonly what: string; readonly wanted: Wanted; readonly because: readonly string[] }
  /** An empty value takes a key away. */
  | { readonly do: 'configure'; readonly what: string; readonly config: Strings; readonly because: readonly string[] };

export interface Difference {
  /** In the order in which they have to be made. */
  readonly changes: readonly Change[];
  /** What cannot become as wanted. */
  readonly problems: readonly string[];
  /** Objects that the preseed once had. They stay: something may be in them. */
  readonly leftovers: readonly string[];
}

/** Each member has its own value of these; LXD takes them when the thing is made, or when a member joins. */
const OF_MEMBERS: Readonly<Record<List, ReadonlySet<string>>> = {
  projects: new Set(),
  storage_pools: new Set(['source', 'size', 'zfs.pool_name', 'lvm.thinpool_name', 'lvm.vg_name']),
  networks: new Set(['bridge.external_interfaces', 'parent', 'bgp.ipv4.nexthop', 'bgp.ipv6.nexthop']),
  profiles: new Set(),
};

/** Parts a configuration into what each member has of its own, and what all share. */
export function partOf(list: List, config: Strings): { readonly shared: Strings; readonly ofMembers: Strings } {
  const part = (own: boolean) => Object.fromEntries(Object.entries(config).filter(([key]) => OF_MEMBERS[list].has(key) === own));
  return { shared: part(false), ofMembers: part(true) };
}

export function wantedOf(preseed: Preseed): Wanted[] {
  const all = { project: 'default', devices: {} };
  return [
    ...preseed.projects.map((one): Wanted => ({ ...all, ...one, list: 'projects' })),
    ...preseed.storage_pools.map(({ driver, ...one }): Wanted => ({ ...all, ...one, sort: driver, list: 'storage_pools' })),
    ...preseed.networks.map(({ type, ...one }): Wanted => ({ ...all, ...one, sort: type, list: 'networks' })),
    ...preseed.profiles.map((one): Wanted => ({ ...all, ...one, list: 'profiles' })),
  ];
}

/** What is to be done so that all is as the preseed says. Empty when it is. */
export function differenceOf(preseed: Preseed, world: World): Difference {
  const wanted = wantedOf(preseed);
  const changes: Change[] = [];
  const problems: string[] = [];
  for (const one of wanted) {
    const what = nameOf(one);
    const present = world.lists[one.list].find(({ name, project }) => name === one.name && project === one.project);
    if (present === undefined) changes.push({ do: 'create', what, wanted: one, because: ['it is missing'] });
    else if (present.made !== 'wholly') {
      changes.push({ do: present.made === 'partly' ? 'finish' : 'create', what, wanted: one, because: ['its making was cut off'] });
    } else if (one.sort !== present.sort) problems.push(`${what} is ${present.sort}, and cannot become ${one.sort}`);
    else {
      const because = differing(present, merged(one, present));
      if (because.length > 0) changes.push({ do: 'update', what, wanted: one, because });
    }
  }
  const config = configChange(preseed.config, world.config);
  const keys = Object.keys(config).filter((key) => key !== MARK);
  if (Object.keys(config).length > 0) changes.push({ do: 'configure', what: 'the server', config, because: keys });
  const leftovers = LISTS.flatMap((list) =>
    world.lists[list]
      .filter((present) => present.config[MARK] !== undefined && !wanted.some((one) => one.list === list && sameObject(one, present)))
      .map((present) => nameOf({ ...present, list })),
  );
  return { changes, problems, leftovers };
}

/** An object as it is to become: what is wanted, without what the preseed once set and no longer has, and all that others set. */
export function merged(wanted: Wanted, present: Content): Content {
  const { shared } = partOf(wanted.list, wanted.config);
  const before = markOf(present.config[MARK]);
  const config = { ...without(present.config, before.config), ...asKept(shared, present.config) };
  const devices = { ...without(present.devices, before.devices), ...wanted.devices };
  return {
    description: wanted.description ?? present.description,
    config: { ...config, [MARK]: markFor(shared, wanted.devices) },
    devices,
  };
}

/** The mark of what is set here. */
export function markFor(config: Strings, devices: Readonly<Record<string, Strings>> = {}): string {
  const names = (of: object) =>
    Object.keys(of)
      .filter((key) => key !== MARK)
      .sort();
  return JSON.stringify({ config: names(config), devices: names(devices) });
}

function configChange(wanted: Strings, present: Strings): Strings {
  const before = markOf(present[MARK]).config;
  const gone = before.filter((key) => !(key in wanted) && present[key] !== undefined).map((key) => [key, '']);
  const set = Object.entries(asKept(wanted, present)).filter(([key, value]) => (present[key] ?? '') !== value);
  const mark =
    Object.keys(wanted).length === 0 && before.length === 0 ? [] : [[MARK, markFor(wanted)]].filter(([, value]) => present[MARK] !== value);
  return Object.fromEntries([...gone, ...set, ...mark]) as Strings;
}

/** LXD chooses a value for `auto`, and keeps that. */
function asKept(wanted: Strings, present: Strings): Strings {
  return Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key, value === 'auto' ? (present[key] ?? value) : value]));
}

function differing(present: Content, next: Content): string[] {
  const keys = (a: object, b: object, at: string) =>
    [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .filter((key) => !same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
      .map((key) => `${at}.${key}`);
  return [
    ...(present.description === next.description ? [] : ['description']),
    ...keys(present.config, next.config, 'config'),
    ...keys(present.devices, next.devices, 'devices'),
  ];
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const sorted = (of: object) => JSON.stringify(Object.entries(of).sort(([x], [y]) => x.localeCompare(y)));
  return sorted(a) === sorted(b);
}

function markOf(text: string | undefined): { readonly config: readonly string[]; readonly devices: readonly string[] } {
  try {
    const { config = [], devices = [] } = JSON.parse(text ?? '{}') as { config?: string[]; devices?: string[] };
    return { config, devices };
  } catch {
    // Somebody wrote something else there: nothing is known to be ours, so nothing is taken away.
    return { config: [], devices: [] };
  }
}

function without<T>(of: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(of).filter(([key]) => !keys.includes(key)));
}

const sameObject = (a: { name: string; project: string }, b: { name: string; project: string }) =>
  a.name === b.name && a.project === b.project;

const NOUNS: Readonly<Record<List, string>> = {
  projects: 'project',
  storage_pools: 'storage pool',
  networks: 'network',
  profiles: 'profile',
};

function nameOf({ list, name, project }: { readonly list: List; readonly name: string; readonly project: string }): string {
  return `${NOUNS[list]} ${name}${project === 'default' ? '' : ` of project ${project}`}`;
}
