import { Buffer } from 'node:buffer';
import ipaddr from 'ipaddr.js';

/** Frames for tests, byte by byte: nothing here checks what it is told. */

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd, vlan: 0x8100, lldp: 0x88cc } as const;

const mac = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex');
const ip = (text: string) => Buffer.from(ipaddr.parse(text).toByteArray());
const u16 = (...values: readonly number[]) => Buffer.concat(values.map((value) => Buffer.from([(value >> 8) & 0xff, value & 0xff])));

export interface Ends {
  readonly from: string;
  readonly to: string;
}

/** Without padding to the least size, which a pair of virtual interfaces does not ask for. */
export function ethernet({ from, to }: Ends, type: number, payload: Buffer): Buffer {
  return Buffer.concat([mac(to), mac(from), u16(type), payload]);
}

/** A tag before what the frame was. */
export function tagged(frame: Buffer, id: number): Buffer {
  return Buffer.concat([frame.subarray(0, 12), u16(ETHERTYPE.vlan, id), frame.subarray(12)]);
}

export function arp(kind: 'request' | 'reply', sender: { mac: string; ip: string }, target: { mac: string; ip: string }): Buffer {
  const head = Buffer.concat([u16(1, ETHERTYPE.ipv4), Buffer.from([6, 4]), u16(kind === 'request' ? 1 : 2)]);
  return Buffer.concat([head, mac(sender.mac), ip(sender.ip), mac(target.mac), ip(target.ip)]);
}

export interface Ipv4Options {
  readonly protocol: number;
  /** Of this fragment, in units of eight bytes. */
  readonly offset?: number;
  readonly more?: 'more' | 'last';
}

export function ipv4({ from, to }: Ends, { protocol, offset = 0, more = 'last' }: Ipv4Options, payload: Buffer): Buffer {
  const flags = (more === 'more' ? 0x2000 : 0) | offset;
  const head = Buffer.concat([u16(0x4500, 20 + payload.length, 0x4242, flags), Buffer.from([64, protocol]), u16(0), ip(from), ip(to)]);
  head.writeUInt16BE(checksum(head), 10);
  return Buffer.concat([head, payload]);
}

export function ipv6({ from, to }: Ends, next: number, payload: Buffer, hops = 255): Buffer {
  return Buffer.concat([Buffer.from([0x60, 0, 0, 0]), u16(payload.length), Buffer.from([next, hops]), ip(from), ip(to), payload]);
}

/** Without a checksum, which IPv4 allows. */
export function udp(from: number, to: number, payload: Buffer): Buffer {
  return Buffer.concat([u16(from, to, 8 + payload.length, 0), payload]);
}

/** The beginning of a connection. */
export function tcpSyn(from: number, to: number): Buffer {
  return Buffer.concat([u16(from, to), Buffer.alloc(8), u16(0x5002, 64_240, 0, 0)]);
}

/** An ICMPv6 message from one address to another, with its checksum. */
export function icmpv6(ends: Ends, type: number, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), body]);
  const pseudo = Buffer.concat([ip(ends.from), ip(ends.to), u16(0, message.length, 0, 58)]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  return message;
}

export function neighbourAdvert(target: string, targetMac: string): Buffer {
  return Buffer.concat([Buffer.from([0x20, 0, 0, 0]), ip(target), Buffer.from([2, 1]), mac(targetMac)]);
}

export function neighbourSolicit(target: string): Buffer {
  return Buffer.concat([Buffer.alloc(4), ip(target)]);
}

/** A router that offers itself for half an hour, with a prefix to make addresses in. */
export function routerAdvert(prefix: string, routerMac: string): Buffer {
  const option = Buffer.concat([Buffer.from([3, 4, 64, 0xc0]), u16(0, 3600, 0, 1800, 0, 0), ip(prefix)]);
  return Buffer.concat([Buffer.from([64, 0]), u16(1800), Buffer.alloc(8), Buffer.from([1, 1]), mac(routerMac), option]);
}

/** An offer of DHCP, as a server sends it: enough of one for a client that waits for it. */
export function dhcpOffer(server: string, offered: string, clientMac: string): Buffer {
  const head = Buffer.concat([Buffer.from([2, 1, 6, 0, 1, 2, 3, 4]), Buffer.alloc(8), ip(offered), ip(server), Buffer.alloc(4)]);
  const hardware = Buffer.concat([mac(clientMac), Buffer.alloc(10 + 64 + 128)]);
  const options = Buffer.concat([Buffer.from([99, 130, 83, 99, 53, 1, 2, 54, 4]), ip(server), Buffer.from([255])]);
  return Buffer.concat([head, hardware, options]);
}

/** What a client of DHCP sends: that it looks for a server, or that it gives its lease of this address back. */
export function dhcpAsk(kind: 'discover' | 'release', clientMac: string, address = '0.0.0.0'): Buffer {
  const head = Buffer.concat([Buffer.from([1, 1, 6, 0, 1, 2, 3, 4]), Buffer.alloc(4), ip(address), Buffer.alloc(12)]);
  const hardware = Buffer.concat([mac(clientMac), Buffer.alloc(10 + 64 + 128)]);
  return Buffer.concat([head, hardware, Buffer.from([99, 130, 83, 99, 53, 1, kind === 'discover' ? 1 : 7, 255])]);
}

/** A frame as the overlay carries it (RFC 7348). */
export function vxlan(vni: number, frame: Buffer): Buffer {
  return Buffer.concat([Buffer.from([8, 0, 0, 0]), u16(vni >> 8), Buffer.from([vni & 0xff, 0]), frame]);
}

/** An IPv6 extension header: hop-by-hop with padding, or that of a fragment. */
export function extension(kind: 'hop-by-hop', next: number): Buffer;
export function extension(kind: 'fragment', next: number, more?: 'more' | 'last'): Buffer;
export function extension(kind: 'hop-by-hop' | 'fragment', next: number, more: 'more' | 'last' = 'last'): Buffer {
  if (kind === 'hop-by-hop') return Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
  return Buffer.concat([Buffer.from([next, 0]), u16(more === 'more' ? 1 : 0, 0, 0x4242)]);
}

function checksum(data: Buffer): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += (data[at] ?? 0) * 256 + (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65_536);
  return ~sum & 0xffff;
}
