import { defaultHost } from '#libs/domain/names.js';
import { phaseOf } from '#libs/domain/phase.js';
import { parseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import type { Suspension } from '#libs/domain/suspension.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import type { WebspaceView } from './schemas.js';

export interface ViewOptions {
  readonly baseDomain: string;
  readonly publicPort: number;
}

/** An instance as a webspace; undefined when it is none. One whose record cannot be read is shown with the reason. */
export function webspaceViewOf(instance: LxdInstance, options: ViewOptions): WebspaceView | undefined {
  try {
    const record = parseRecord(instance);
    if (record) return fullView(instance, record, options);
    // In the row of a cluster member that is away everything but the name is empty.
    if (phaseOf(instance.status_code) !== 'unknown' || Object.keys(instance.config).length > 0) return undefined;
    const message = `LXD says "${instance.status}" of it: its cluster member ${instance.location || ''} does not answer.`;
    return unhealthy(instance, new PlatformError('UNAVAILABLE', message));
  } catch (error) {
    if (isPlatformError(error)) return unhealthy(instance, error);
    throw error;
  }
}

function fullView(instance: LxdInstance, record: WebspaceRecord, { baseDomain, publicPort }: ViewOptions): WebspaceView {
  const { id, username } = record.owner;
  const port = publicPort === 443 ? '' : `:${publicPort}`;
  const { alias, fingerprint } = record.image;
  const { suspended } = record.policy;
  const lastUsed = Date.parse(instance.last_used_at);
  return {
    name: instance.name,
    phase: record.phase === 'creating' ? 'creating' : phaseOf(instance.status_code),
    uid: record.uid,
    owner: { id, ...(username === undefined ? {} : { username }) },
    ...(username === undefined ? {} : { url: `https://${defaultHost(username, baseDomain)}${port}/` }),
    domains: record.domains,
    http: { port: record.http.port, startupDelaySeconds: record.http.startupDelaySeconds, sniPassthrough: record.http.sniPassthrough },
    ports: record.ports.map(({ protocol, external, internal, proxyProtocol }) => ({
      protocol,
      external,
      internal,
      ...(proxyProtocol ? { proxyProtocol } : {}),
    })),
    ...(record.network.address === undefined ? {} : { address: record.network.address }),
    policy: { alwaysOn: record.policy.alwaysOn },
    image: { ...(alias === undefined ? {} : { alias }), fingerprint },
    createdAt: record.createdAt,
    ...(lastUsed > 0 ? { lastUsedAt: new Date(lastUsed).toISOString() } : {}),
    location: instance.location,
    ...(suspended ? { suspended: suspensionView(suspended) } : {}),
  };
}

function suspensionView({ since, reason, by, note }: Suspension): NonNullable<WebspaceView['suspended']> {
  return { since, reason, by, ...(note === undefined ? {} : { note }) };
}

function unhealthy(instance: LxdInstance, { code, message }: PlatformError): WebspaceView {
  return { name: instance.name, phase: 'unknown', problem: { code, message } };
}

/** Whether any of the texts people look for holds the query. */
export function matchesQuery(view: WebspaceView, query: string): boolean {
  const wanted = query.toLowerCase();
  return [view.name, view.owner?.username, view.owner?.id, view.url, ...(view.domains ?? [])].some((text) =>
    text?.toLowerCase().includes(wanted),
  );
}
