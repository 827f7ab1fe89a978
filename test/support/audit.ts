import { find, type Instance, type World, type WorldObject } from './world.js';

const NAME = /^ws-(u\d+|x[a-z2-7]{12})$/;
const LABEL = 'webspaces.netsoc.ie/webspace';
const UID = 'webspaces.netsoc.ie/uid';
const DELETED = 'webspaces.netsoc.ie/deleted';
const CLAIMS = ['Domain', 'Address', 'PortForward'];
const BASE_DOMAIN = 'ws.localhost';

/** A webspace is there with all that belongs to it, or not at all; anything between is wrong, and the problems say why. */
export interface Verdict {
  readonly is: 'whole' | 'nothing' | 'wrong';
  readonly uid?: string;
  readonly problems: readonly string[];
}

interface Record_ {
  readonly uid: string;
  readonly deletedBy?: string;
  readonly phase: string;
  readonly owner: { readonly username: string };
  readonly network: { readonly address: string };
  readonly domains: readonly string[];
  readonly ports: readonly { readonly protocol: string; readonly external: number; readonly internal: number }[];
}

export function verdictOn(world: World, name: string): Verdict {
  const instance = world.instances.get(name);
  const left = world.objects.filter((object) => belongsTo(object, name));
  if (!instance) {
    const problems = left.map((object) => `${object.kind} ${object.metadata.name} without an instance`);
    return { is: problems.length === 0 ? 'nothing' : 'wrong', problems };
  }
  const record = recordOf(instance);
  if (!record) return { is: 'wrong', problems: [`instance ${name} has no record`] };
  const problems = wholeProblems(world, instance, record, left);
  return { is: problems.length === 0 ? 'whole' : 'wrong', uid: record.uid, problems };
}

/** Everything in LXD against everything in Kubernetes: one line for each thing that is not right. Nothing may be under way. */
export function audit(world: World): string[] {
  const names = new Set([...world.instances.keys()].filter((name) => NAME.test(name)));
  for (const object of world.objects) {
    const name = webspaceOf(object);
    if (name !== undefined) names.add(name);
  }
  return [...names].sort().flatMap((name) => verdictOn(world, name).problems.map((problem) => `${name}: ${problem}`));
}

/** What carries a uid: in LXD or on any object but the list of deleted ones. */
export function tracesOf(world: World, uid: string): string[] {
  const objects = world.objects.filter((object) => object.metadata.labels?.[UID] === uid || object.spec?.['uid'] === uid);
  const instances = [...world.instances.values()].filter((instance) => recordOf(instance)?.uid === uid);
  return [...objects.map((object) => `${object.kind} ${object.metadata.name}`), ...instances.map(({ name }) => `instance ${name}`)];
}

function wholeProblems(world: World, instance: Instance, record: Record_, objects: readonly WorldObject[]): string[] {
  const { name } = instance;
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string) => holds || problems.push(problem);
  const { address } = record.network;
  const running = instance.status === 'Running';
  expect('volatile.apply_template' in instance.config || 'volatile.last_state.power' in instance.config, 'its root was not unpacked');
  expect(record.phase === 'ready', `record says ${record.phase}`);
  expect(record.deletedBy === undefined, `record says deleted by ${record.deletedBy}`);
  expect(instance.expanded_devices['eth0']?.['ipv4.address'] === address, 'nic has another address than the record');
  const webspace = find(world, 'Webspace', name);
  expect(webspace?.metadata.labels?.[UID] === record.uid, `Webspace has uid ${webspace?.metadata.labels?.[UID]}`);
  expect(webspace?.status?.['phase'] === (running ? 'running' : 'stopped'), `Webspace says ${String(webspace?.status?.['phase'])}`);
  problems.push(...claimProblems(world, name, record));
  const slice = find(world, 'EndpointSlice', name);
  expect(slice?.endpoints?.[0]?.addresses[0] === address, 'EndpointSlice has another address');
  const backend = routeTarget(find(world, 'IngressRoute', name));
  expect(backend === (running ? name : 'webspaces-gateway'), `route leads to ${backend}`);
  for (const kind of ['Service', 'EndpointSlice', 'IngressRoute']) {
    const owner = find(world, kind, name)?.metadata.ownerReferences?.[0];
    expect(owner !== undefined && owner.uid === webspace?.metadata.uid, `${kind} is missing or belongs to another Webspace`);
  }
  const wanted = record.ports
    .map(({ protocol, external }) => `${protocol}-${external}`)
    .sort()
    .join();
  expect(servicePorts(find(world, 'Service', `${name}-ports`)) === wanted, `Service of ports has not exactly ${wanted || 'none'}`);
  const lease = find(world, 'Lease', name);
  expect(!holderOf(lease), `lock is held by ${holderOf(lease)}`);
  expect(!lease?.metadata.annotations?.[DELETED]?.includes(record.uid), 'its uid is listed as deleted');
  for (const object of objects) {
    const uid = object.metadata.labels?.[UID];
    expect(object.kind === 'Lease' || uid === record.uid, `${object.kind} ${object.metadata.name} of another uid ${uid}`);
  }
  return problems;
}

/** Every claim that the record names is the webspace's, says the same, and there is no other. */
function claimProblems(world: World, name: string, record: Record_): string[] {
  const wanted = new Map<string, object>([
    ...[`${record.owner.username}.${BASE_DOMAIN}`, ...record.domains].map((host) => [`Domain ${host}`, { host }] as const),
    [`Address ${record.network.address.replaceAll('.', '-')}`, { address: record.network.address }],
    ...record.ports.map((port) => [`PortForward ${port.protocol}-${port.external}`, { ...port }] as const),
  ]);
  const held = new Map(
    world.objects
      .filter(({ kind, spec }) => CLAIMS.includes(kind) && spec?.['webspace'] === name && spec['uid'] === record.uid)
      .map(({ kind, metadata, spec }) => [`${kind} ${metadata.name}`, spec ?? {}]),
  );
  return [
    ...[...wanted].flatMap(([claim, says]) => {
      const spec = held.get(claim);
      if (!spec) return [`claim ${claim} is not held`];
      return Object.entries(says).flatMap(([key, value]) =>
        spec[key] === value ? [] : [`claim ${claim} says ${key} ${String(spec[key])}`],
      );
    }),
    ...[...held.keys()].flatMap((claim) => (wanted.has(claim) ? [] : [`claim ${claim} is held, and the record does not name it`])),
  ];
}

/** Whether an object of that webspace may not outlive it. Locks that nobody holds and addresses at rest may. */
function belongsTo(object: WorldObject, name: string): boolean {
  if (webspaceOf(object) !== name) return false;
  return object.kind !== 'Lease' || holderOf(object) !== undefined;
}

function webspaceOf(object: WorldObject): string | undefined {
  const claimed = object.spec?.['webspace'];
  if (typeof claimed === 'string') return claimed;
  return object.metadata.labels?.[LABEL] ?? (NAME.test(object.metadata.name) ? object.metadata.name : undefined);
}

function recordOf(instance: Instance): Record_ | undefined {
  const text = instance.config['user.webspaces.record'];
  return text ? (JSON.parse(text) as Record_) : undefined;
}

function holderOf(lease: WorldObject | undefined): string | undefined {
  return (lease?.spec?.['holderIdentity'] as string | undefined) || undefined;
}

function servicePorts(service: WorldObject | undefined): string {
  return ((service?.spec?.['ports'] ?? []) as { name: string }[])
    .map((port) => port.name)
    .sort()
    .join();
}

function routeTarget(route: WorldObject | undefined): string | undefined {
  const routes = route?.spec?.['routes'] as { services: { name: string }[] }[] | undefined;
  return routes?.[0]?.services[0]?.name;
}
