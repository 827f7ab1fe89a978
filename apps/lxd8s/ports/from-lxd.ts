import { parseRecord } from '#libs/domain/record.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import type { Port } from './elements.js';

/** The ports of these instances, as LXD remembers them; one whose record has an address may use that. */
export function portsFromLxd(instances: readonly LxdInstance[]): Map<string, Port> {
  return new Map(instances.flatMap(portsOf));
}

function portsOf(instance: LxdInstance): [string, Port][] {
  const { config, expanded_devices: devices = {} } = instance;
  const names = new Set([
    ...Object.keys(devices),
    ...Object.keys(config).flatMap((key) => /^volatile\.(.+)\.host_name$/.exec(key)?.[1] ?? []),
  ]);
  return [...names].flatMap((name): [string, Port][] => {
    const port = config[`volatile.${name}.host_name`];
    const mac = devices[name]?.['hwaddr'] ?? config[`volatile.${name}.hwaddr`];
    if (port === undefined || mac === undefined) return [];
    return [[port, { mac: mac.toLowerCase(), address: name === 'eth0' ? addressOf(instance) : undefined }]];
  });
}

function addressOf(instance: LxdInstance): string | undefined {
  try {
    return parseRecord(instance)?.network.address;
  } catch {
    // A record that cannot be read gives no right to an address.
    return undefined;
  }
}
