import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { gatewayPortsUrl } from '#lab/gateway-ports.js';
import type { Lab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { PortsStatus } from '#libs/contracts/gateway.js';
import type { Member, Members } from './members.js';

/** A connection to a forwarded port, as a member's client makes it: from the host's end of the link. */
export function dial(lab: Lab, external: number, host = lab.profile.network.hostLink.router): Socket {
  return connect({ host, port: external, allowHalfOpen: true, timeout: 30_000 });
}

/** Says something, ends its half, and gives all that comes back. */
export async function talk(lab: Lab, external: number, words: string, host?: string): Promise<string> {
  const socket = dial(lab, external, host);
  socket.once('timeout', () => socket.destroy(new Error(`no answer from port ${external}`)));
  socket.end(words);
  return text(socket);
}

export async function forward(members: Members, member: Member, external: number, internal: number): Promise<void> {
  const { status, body } = await members.ask(member, 'POST', `/ports/${external}/${internal}`);
  if (status >= 300) throw new Error(`forward ${external}: ${status} ${body}`);
}

/** What the gateway of forwarded ports says of a webspace. */
export async function portsStatus(lab: Lab, { webspace }: Member, url = gatewayPortsUrl(lab.profile)): Promise<PortsStatus> {
  return (await http(`${url}/status/${webspace}`, { timeoutMs: 2_000 })).json<PortsStatus>();
}

export function kernelHas(lab: Lab, member: Member, ...keys: readonly string[]): Promise<unknown> {
  return waitFor(
    `the kernel to forward ${keys.join(', ') || 'nothing'}`,
    async () => [...(await portsStatus(lab, member)).kernel].sort().join() === [...keys].sort().join(),
    { timeoutMs: 15_000, intervalMs: 20 },
  );
}

/** From its next start on, the container has these servers: what each port does with a connection. */
export async function serveInside(lab: Lab, { webspace }: Member, servers: Readonly<Record<number, string>>): Promise<void> {
  const lines = Object.entries(servers).map(([port, program]) => `busybox nc -ll -p ${port} -e ${program} &`);
  await lab.lxc(['exec', webspace, '--', 'sed', '-i', `3a ${lines.join('\\n')}`, '/sbin/init']);
}

const UDP_SECONDS = 20;

/**
 * A UDP server in the network of a container that runs, which tells who sent a datagram, and gives it back.
 * Rejects when its time is over, or the container's network is; never resolves.
 */
export async function udpInside(lab: Lab, { webspace }: Member, port: number): Promise<never> {
  const server = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (words, { address, port }) => socket.send(address + ' ' + words, port, address)).bind(${port});
    setTimeout(() => socket.close(), ${UDP_SECONDS * 1000});`;
  const { pid } = await lab.stack.lxd.client.request<{ pid: number }>('GET', `/1.0/instances/${webspace}/state`);
  await lab.sandboxExec(['nsenter', '-t', String(pid), '-n', process.execPath, '-e', server]);
  throw new Error(`no answer within ${UDP_SECONDS} s`);
}
