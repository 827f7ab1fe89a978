import { createHash, randomBytes } from 'node:crypto';
import { PROFILE_DEVICES } from './model.js';
import { type DoubleRequest, jsonBody, Refusal, type Reply, started, sync } from './reply.js';
import type { World } from './world.js';

export const DOUBLE_FINGERPRINT = createHash('sha256').update('lxd-double').digest('hex');

export function server({ options, faults }: World, trusted: boolean): Reply {
  const auth = trusted ? 'trusted' : 'untrusted';
  const known = {
    api_extensions: ['storage_zfs_remove_snapshots', 'cpu_hotplug'],
    api_status: 'stable',
    api_version: '1.0',
    auth,
    public: false,
  };
  if (!trusted) return sync({ ...known, auth_methods: ['tls'], config: null, environment: null });
  const environment = {
    certificate_fingerprint: faults.identity ?? options.certificateFingerprint ?? DOUBLE_FINGERPRINT,
    certificate: options.certificate ?? '',
    server: 'lxd',
    server_name: options.serverName ?? 'double',
    server_version: '5.0.2',
    server_clustered: options.members !== undefined,
    architectures: ['x86_64', 'i686'],
    server_pid: process.pid,
  };
  return sync({ ...known, auth_methods: ['tls'], config: options.config ?? {}, environment });
}

export function members({ options }: World): Reply {
  if (!options.members) throw new Refusal(500, 'Server is not clustered');
  return sync(options.members);
}

export function operations(world: World): Reply {
  const byStatus: Record<string, unknown[]> = {};
  for (const operation of world.operations.all()) {
    const key = operation.status.toLowerCase();
    byStatus[key] = [...(byStatus[key] ?? []), operation];
  }
  return sync(byStatus);
}

export async function oneOperation(world: World, request: DoubleRequest): Promise<Reply> {
  const id = request.parts[1] ?? '';
  const operation = world.operations.get(id);
  if (!operation) throw new Refusal(404, 'Operation not found');
  if (request.parts[2] === 'wait') {
    await world.operations.wait(id, Number(request.query.get('timeout') ?? -1));
    return sync(operation);
  }
  if (request.method === 'GET') return sync(operation);
  if (operation.status !== 'Running') throw new Refusal(400, 'Only running operations can be cancelled');
  if (!operation.may_cancel) throw new Refusal(400, "This operation can't be cancelled");
  world.operations.remove(id);
  return sync({});
}

export function certificates(world: World, request: DoubleRequest): Reply {
  if (request.method === 'GET') return sync([...world.certificates.values()]);
  const body = jsonBody(request) as { name?: string; certificate?: string; token?: boolean; restricted?: boolean; projects?: string[] };
  if (body.token) return token(world, body.name ?? '');
  const der = Buffer.from(body.certificate ?? '', 'base64');
  const fingerprint = createHash('sha256').update(der).digest('hex');
  if (world.certificates.has(fingerprint)) throw new Refusal(409, 'Certificate already in trust store');
  const { name = '', certificate = '', restricted = false, projects = [] } = body;
  world.certificates.set(fingerprint, { fingerprint, name, certificate, restricted, projects, type: 'client' });
  return sync({});
}

/** The operation of a token runs until it is used. */
function token(world: World, name: string): Reply {
  const secret = randomBytes(32).toString('hex');
  const metadata = { secret, fingerprint: DOUBLE_FINGERPRINT, addresses: ['127.0.0.1:8443'], request: { name } };
  const work = () => new Promise<undefined>(() => undefined);
  return started(
    world.operations.start({ class: 'token', description: 'Executing operation', metadata, work }),
    world.faults.operationProject,
  );
}

export function oneCertificate(world: World, request: DoubleRequest): Reply {
  const certificate = world.certificates.get(request.parts[1] ?? '');
  if (!certificate) throw new Refusal(404, 'Certificate not found');
  if (request.method === 'GET') return sync(certificate);
  world.certificates.delete(certificate.fingerprint);
  return sync({});
}

/** The one profile there is. */
export function profile({ parts }: DoubleRequest): Reply {
  if (parts[1] !== 'default') throw new Refusal(404, 'Profile not found');
  return sync({ name: 'default', description: '', config: {}, devices: PROFILE_DEVICES, used_by: [] });
}

export function poolResources({ pool }: World, { parts }: DoubleRequest): Reply {
  if (parts[1] !== PROFILE_DEVICES.root.pool) throw new Refusal(404, 'Storage pool not found');
  return sync({ space: { total: pool.totalBytes, used: pool.usedBytes }, inodes: { total: 1_000_000, used: 1_000 } });
}
