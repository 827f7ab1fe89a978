import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** What the machine knows of its outside, QEMU's own network without privileges (libslirp). */
export const OUTSIDE = { network: '192.168.69.0/24', gateway: '192.168.69.1', address: '192.168.69.2', resolver: '192.168.69.3' } as const;
/** Where the guest relays to LXD's socket. */
const RELAY_PORT = 8444;
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

export interface Accelerated {
  readonly accelerator: 'kvm' | 'tcg';
  readonly machine: 'microvm' | 'q35';
  /** Of this machine's clock, in kHz; a microvm without KVM has nothing to find it out by, and stands still. */
  readonly clockKhz?: number | undefined;
}

export interface Disk {
  /** By which the guest finds it. */
  readonly serial: 'root' | 'lxd' | 'storage';
  readonly file: string;
}

export interface Machine extends Accelerated {
  readonly member: string;
  readonly guest: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly disks: readonly Disk[];
  /** Where its sockets are made. */
  readonly sockets: Sockets;
  /** Files handed over, by name. */
  readonly handed: Readonly<Record<string, string>>;
  readonly macs: Macs;
  /** LXD's, the same outside and inside. */
  readonly lxdPort: number;
  readonly relayPort: number;
  /** The interface of the pod that leads to the members' network. */
  readonly tap?: string | undefined;
}

export interface Sockets {
  readonly agent: string;
  readonly monitor: string;
  readonly lxdLog: string;
  readonly console: string;
}

export function socketsIn(folder: string): Sockets {
  const socket = (name: string) => join(folder, `${name}.sock`);
  return { agent: socket('agent'), monitor: socket('monitor'), lxdLog: socket('lxd-log'), console: socket('console') };
}

export interface Macs {
  readonly outside: string;
  readonly lan: string;
}

/** Addresses of their own for each member of the network, and the same ones again for the same member. */
export function macsOf(domain: string, member: string): Macs {
  const hash = createHash('sha256').update(`${member}.${domain}`).digest('hex');
  const base = ['52', '54', hash.slice(0, 2), hash.slice(2, 4), hash.slice(4, 6)].join(':');
  return { outside: `${base}:01`, lan: `${base}:02` };
}

/** Arguments of QEMU for a member's machine. */
export function machineArguments(machine: Machine): string[] {
  const { member, memoryBytes, cpus, disks, sockets, handed, macs, lxdPort, relayPort, tap } = machine;
  const bus = machine.machine === 'q35' ? 'pci' : 'device';
  const { network, gateway, address, resolver } = OUTSIDE;
  const outside = [
    `user,id=outside,ipv6=off,net=${network},host=${gateway},dns=${resolver}`,
    `hostfwd=tcp::${lxdPort}-${address}:${lxdPort}`,
    `hostfwd=tcp:127.0.0.1:${relayPort}-${address}:${RELAY_PORT}`,
  ].join(',');
  return [
    ...['-name', escaped(member)],
    ...common(machine, [], join(machine.guest, 'initrd')),
    ...['-m', `${Math.floor(memoryBytes / 2 ** 20)}M`, '-smp', String(cpus)],
    ...disks.flatMap((disk) => diskArguments(disk, bus)),
    ...['-netdev', outside, '-device', netDevice('outside', macs.outside, bus)],
    ...(tap === undefined ? [] : tapArguments(tap, macs.lan, bus)),
    ...['-device', `virtio-serial-${bus}`],
    ...port('agent', sockets.agent, 'org.qemu.guest_agent.0'),
    ...port('lxdlog', sockets.lxdLog, 'lxd8s.log'),
    ...port('login', sockets.console, 'lxd8s.console'),
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', `virtio-rng-${bus},rng=rng`],
    ...Object.entries(handed).flatMap(([name, file]) => ['-fw_cfg', `name=opt/lxd8s/${name},file=${escaped(file)}`]),
    ...['-qmp', `unix:${escaped(sockets.monitor)},server=on,wait=off`],
  ];
}

/** Arguments of QEMU for a machine that says that it runs, and ends. */
export function probeArguments({ guest, ...how }: Accelerated & { readonly guest: string }): string[] {
  return [...common({ guest, ...how }, ['lxd8s.probe'], join(guest, 'initrd')), '-m', '128M', '-smp', '1'];
}

function common(
  { guest, machine, accelerator, clockKhz }: Accelerated & { readonly guest: string },
  more: readonly string[],
  initrd: string,
) {
  const clock = accelerator === 'tcg' && clockKhz !== undefined ? [`tsc_early_khz=${clockKhz}`, 'tsc=reliable'] : [];
  return [
    ...['-M', machine === 'microvm' ? 'microvm,acpi=on,rtc=on' : 'q35'],
    // A KVM without arch-capabilities refuses to set them.
    ...(accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host,-arch-capabilities']
      : ['-accel', 'tcg,thread=multi,tb-size=64', '-cpu', 'max']),
    ...['-rtc', 'base=utc,clock=host', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-sandbox', SANDBOX],
    ...['-kernel', join(guest, 'kernel'), '-initrd', initrd],
    ...['-append', ['console=ttyS0', 'quiet', 'panic=1', 'reboot=t', ...clock, ...more].join(' ')],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
  ];
}

function diskArguments({ serial, file }: Disk, bus: string): string[] {
  // What the guest has flushed is on the disk; the pod's memory is not spent on a second cache of it.
  const how = serial === 'root' ? 'readonly=on' : 'cache=none,aio=threads,discard=unmap';
  return [
    '-drive',
    `id=${serial},file=${escaped(file)},format=raw,if=none,${how}`,
    '-device',
    `virtio-blk-${bus},drive=${serial},serial=${serial}`,
  ];
}

function tapArguments(tap: string, mac: string, bus: string): string[] {
  return ['-netdev', `tap,id=lan,ifname=${tap},script=no,downscript=no,vhost=off`, '-device', netDevice('lan', mac, bus)];
}

/** One on PCI would want a program to boot from the network by. */
function netDevice(netdev: string, mac: string, bus: string): string {
  return `virtio-net-${bus},netdev=${netdev},mac=${mac}${bus === 'pci' ? ',romfile=' : ''}`;
}

function port(id: string, socket: string, name: string): string[] {
  return ['-chardev', `socket,id=${id},path=${escaped(socket)},server=on,wait=off`, '-device', `virtserialport,chardev=${id},name=${name}`];
}

/** A comma ends a value for QEMU; two are one. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
