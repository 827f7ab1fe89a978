import type { ExternalPort, NewPortForward, PortForward, WebspaceChange, WebspaceConfig } from '#libs/contracts/operations.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { type Claim, domainClaim, portClaim } from './claims.js';
import { canonicalDomain, customDomain, type DomainPolicy } from './domain-name.js';
import { defaultHost } from './names.js';
import type { Platform } from './platform.js';
import type { WebspaceRecord } from './record.js';
import { changedPolicy } from './suspension.js';

/** A change of a record, ready but for the ports that may be any. */
export interface ChangePlan {
  /** What has to be claimed before the record is written. */
  readonly claims: readonly Claim[];
  /** The record afterwards, once every added forward has its external port. */
  record(added: readonly PortForward[]): WebspaceRecord;
  readonly previous: WebspaceConfig;
}

type Rules = Pick<Platform, 'limits' | 'portRange' | 'baseDomain'>;

/**
 * A change as a caller writes it, with its domains in canonical form.
 * @throws PlatformError INVALID_INPUT for the field `domain` when one that is to be added may not be; NOT_FOUND when one that is to be
 * removed is no host name at all, so that no webspace has it.
 */
export function withCanonicalDomains(change: WebspaceChange, policy: DomainPolicy): WebspaceChange {
  if (!change.domains) return change;
  const { add, remove } = change.domains;
  return { ...change, domains: { add: add.map((domain) => customDomain(domain, policy)), remove: remove.map(namedDomain) } };
}

function namedDomain(domain: string): string {
  try {
    return canonicalDomain(domain);
  } catch (error) {
    throw isPlatformError(error, 'INVALID_INPUT') ? missing(domain) : error;
  }
}

/**
 * What a change makes of a record. Pure; looks at this webspace alone: whether a name is another's is for its claim to say.
 * @throws PlatformError INVALID_INPUT naming the field (limits, ranges), NOT_FOUND for what is to be removed and is not there, CONFLICT for
 * what is to be added and is there already.
 */
export function planChange(record: WebspaceRecord, change: WebspaceChange, rules: Rules): ChangePlan {
  const http = changedConfig(record, change.config ?? {}, rules);
  const newDomains = change.domains?.add ?? [];
  const keptDomains = domainsWithout(record, change.domains?.remove ?? [], rules);
  assertDomains(keptDomains, newDomains, rules);
  const keptPorts = without(record.ports, change.ports?.remove ?? [], portKey);
  const newPorts = change.ports?.add ?? [];
  assertPorts(keptPorts, newPorts, rules);
  const fixed = newPorts.flatMap(({ external, ...port }) => (external === undefined ? [] : [{ ...port, external }]));
  const owner = { ...record.owner, ...change.owner };
  const hosts = change.owner ? [defaultHost(change.owner.username, rules.baseDomain)] : [];
  const { alwaysOn = record.policy.alwaysOn } = change.policy ?? {};
  const policy = { ...(change.suspension ? changedPolicy(record.policy, change.suspension) : record.policy), alwaysOn };
  return {
    claims: [...[...hosts, ...newDomains].map(domainClaim), ...fixed.map(portClaim)],
    record: (added) => ({
      ...record,
      owner,
      policy,
      http,
      domains: [...keptDomains, ...newDomains],
      ports: [...keptPorts, ...added.map((port) => ({ ...port }))],
    }),
    previous: configOf(record),
  };
}

export function configOf({ http }: WebspaceRecord): WebspaceConfig {
  return { startupDelaySeconds: http.startupDelaySeconds, httpPort: http.port, sniPassthrough: http.sniPassthrough };
}

function changedConfig({ http }: WebspaceRecord, config: NonNullable<WebspaceChange['config']>, { limits }: Rules): WebspaceRecord['http'] {
  const { startupDelaySeconds = http.startupDelaySeconds, httpPort = http.port, sniPassthrough = http.sniPassthrough } = config;
  if (config.startupDelaySeconds !== undefined && !(startupDelaySeconds >= 0 && startupDelaySeconds <= limits.startupDelaySeconds)) {
    throw invalidOption('startupDelay', `must be from 0 to ${limits.startupDelaySeconds} seconds`);
  }
  if (config.httpPort !== undefined && !isPort(httpPort)) throw invalidOption('httpPort', 'must be from 1 to 65535');
  return { ...http, port: httpPort, startupDelaySeconds, sniPassthrough };
}

function domainsWithout(record: WebspaceRecord, removed: readonly string[], { baseDomain }: Rules): string[] {
  const { username } = record.owner;
  if (username !== undefined && removed.includes(defaultHost(username, baseDomain))) {
    throw invalid('domain', 'cannot remove the default domain', 'the default domain of a webspace stays with it');
  }
  return without(record.domains, removed, (domain) => domain);
}

function assertDomains(kept: readonly string[], added: readonly string[], { limits }: Rules): void {
  for (const domain of added) {
    if (kept.includes(domain) || isRepeated(added, domain)) throw used(`The domain ${domain}`, 'domain');
  }
  if (kept.length + added.length > limits.domains && added.length > 0) {
    throw invalid('domain', undefined, `a webspace has at most ${limits.domains} custom domains; remove one first`);
  }
}

/** The original's order of checks: count, port inside, range, taken. */
function assertPorts(kept: readonly PortForward[], added: readonly NewPortForward[], { limits, portRange }: Rules): void {
  if (kept.length + added.length > limits.portForwards && added.length > 0) {
    throw invalid('ports', 'port forward limit reached', `at most ${limits.portForwards} ports are forwarded; remove one first`);
  }
  const taken = new Set(kept.map(portKey));
  for (const port of added) {
    if (!isPort(port.internal)) throw invalid('internal', 'invalid port', 'the port of the webspace must be from 1 to 65535');
    if (port.proxyProtocol && port.protocol !== 'tcp') throw invalid('proxyProtocol', undefined, 'only a TCP forward can have it');
    if (port.external === undefined) continue;
    const external = { protocol: port.protocol, external: port.external };
    if (!(port.external >= portRange.from && port.external <= portRange.to)) {
      throw invalid('external', 'invalid port', `the external port must be from ${portRange.from} to ${portRange.to}`);
    }
    if (taken.has(portKey(external))) throw used(`The port ${portKey(external)}`, 'external');
    taken.add(portKey(external));
  }
}

export function portKey({ protocol, external }: ExternalPort): string {
  return `${protocol}-${external}`;
}

function without<T, R>(all: readonly T[], removed: readonly R[], key: (item: T | R) => string): T[] {
  const gone = new Set(removed.map(key));
  for (const item of gone) {
    if (!all.some((one) => key(one) === item)) {
      throw missing(item);
    }
  }
  return all.filter((item) => !gone.has(key(item)));
}

function missing(item: string): PlatformError {
  return new PlatformError('NOT_FOUND', `This webspace has no ${item}.`, { details: { legacyMessage: 'not found' } });
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

function isRepeated(all: readonly string[], item: string): boolean {
  return all.indexOf(item) !== all.lastIndexOf(item);
}

function invalidOption(field: string, rule: string): PlatformError {
  return invalid(field, 'invalid value for configuration option', rule);
}

function invalid(field: string, legacyMessage: string | undefined, rule: string): PlatformError {
  return new PlatformError('INVALID_INPUT', `${field}: ${rule}.`, {
    details: { field, ...(legacyMessage === undefined ? {} : { legacyMessage }) },
  });
}

function used(what: string, field: string): PlatformError {
  return new PlatformError('CONFLICT', `${what} is used by a webspace.`, {
    details: { field, reason: 'claimed', legacyMessage: 'used by a webspace' },
  });
}
