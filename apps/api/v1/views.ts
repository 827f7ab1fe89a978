import type { PortForward, WebspaceConfig } from '#libs/contracts/operations.js';
import { configOf } from '#libs/domain/change.js';
import { legacyUserNumber } from '#libs/domain/names.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { LXD_STATUS, type LxdImage, type LxdInstance, type LxdInstanceState } from '#libs/lxd/types.js';
import type { Config, Image, State, Webspace } from './schemas.js';

export function webspaceView(record: WebspaceRecord): Webspace {
  return {
    user: legacyUserNumber(record.owner.id),
    config: configView(configOf(record)),
    domains: record.domains,
    ports: portsView(record.ports),
  };
}

/** TCP only, as ever. */
export function portsView(ports: readonly PortForward[]): Webspace['ports'] {
  return Object.fromEntries(
    ports.filter(({ protocol }) => protocol === 'tcp').map(({ external, internal }) => [String(external), internal]),
  );
}

export function configView({ startupDelaySeconds, httpPort, sniPassthrough }: WebspaceConfig): Config {
  return { startupDelay: startupDelaySeconds, httpPort, sniPassthrough };
}

export function imageView(image: LxdImage): Image {
  const { fingerprint, properties, size } = image;
  return { aliases: image.aliases.map(({ name, description }) => ({ name, description })), fingerprint, properties, size };
}

export function stateView({ last_used_at }: Pick<LxdInstance, 'last_used_at'>, state: LxdInstanceState, now = Date.now()): State {
  const running = state.status_code === LXD_STATUS.running;
  const since = Date.parse(last_used_at);
  return {
    running,
    uptime: running && since > 0 ? Math.max(0, (now - since) / 1000) : 0,
    usage: {
      cpu: state.cpu.usage,
      // LXD reports -1 for what its storage driver cannot tell.
      disks: Object.fromEntries(Object.entries(state.disk).flatMap(([name, { usage }]) => (usage < 0 ? [] : [[name, usage]]))),
      memory: state.memory.usage,
      processes: state.processes,
    },
    networkInterfaces: Object.fromEntries(
      Object.entries(state.network ?? {}).flatMap(([name, nic]) => (name === 'lo' ? [] : [[name, interfaceView(nic)]])),
    ),
  };
}

function interfaceView(nic: NonNullable<LxdInstanceState['network']>[string]): State['networkInterfaces'][string] {
  return {
    mac: nic.hwaddr,
    mtu: nic.mtu,
    state: nic.state,
    counters: {
      bytesReceived: nic.counters.bytes_received,
      bytesSent: nic.counters.bytes_sent,
      packetsReceived: nic.counters.packets_received,
      packetsSent: nic.counters.packets_sent,
    },
    addresses: nic.addresses.map(({ family, address, netmask, scope }) => ({ family, address, netmask, scope })),
  };
}
