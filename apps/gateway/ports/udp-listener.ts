import { createSocket, type RemoteInfo } from 'node:dgram';
import { PlatformError } from '#libs/errors/platform-error.js';
import { addressAnswers } from '#libs/net/dial.js';
import type { WebspaceView } from '../directory.js';
import { forwardAt, type ListenerParts, turnedAway } from './streams.js';
import type { Listener, ListenOptions } from './tcp-listener.js';
import { type Target, UdpFlow } from './udp-flow.js';

/** Listens at a forwarded UDP port; each client (address and port) is a flow. @throws the system's own error. */
export function listenUdp(parts: ListenerParts, { external, hostAddress }: ListenOptions): Promise<Listener> {
  const flows = new Map<string, UdpFlow>();
  const socket = createSocket('udp4');
  const sweep = setInterval(() => {
    const before = performance.now() - parts.udpIdleMs;
    for (const flow of flows.values()) if (flow.lastMs < before) flow.end();
  }, parts.udpIdleMs / 4);
  let closing = false;
  const closeWhenIdle = () => {
    if (!closing || flows.size > 0) return;
    clearInterval(sweep);
    socket.close();
    closing = false;
  };

  const begin = (key: string, client: RemoteInfo): UdpFlow | undefined => {
    const found = forwardAt(parts.directory, 'udp', external);
    if (!found || !parts.streams.begin()) {
      parts.metrics.refused('port', found ? 'streams' : 'unknown-port');
      return undefined;
    }
    const { view, port } = found;
    const flow = new UdpFlow({
      target: () => parts.waiting.during(view.uid, () => targetOf(parts, view, port.internal, external)),
      answer: (datagram) => {
        parts.metrics.streamed('port', 0, datagram.length);
        parts.traffic.seen(view.name);
        socket.send(datagram, client.port, client.address);
      },
      ended: (error) => {
        flows.delete(key);
        parts.streams.end();
        if (error !== undefined) turnedAway(parts, error, { webspace: view.name, port: `udp-${external}` });
        closeWhenIdle();
      },
    });
    flows.set(key, flow);
    return flow;
  };

  socket.on('message', (datagram, client) => {
    const key = `${client.address}:${client.port}`;
    const flow = flows.get(key) ?? begin(key, client);
    if (!flow) return;
    const view = parts.directory.byPort('udp', external);
    if (view) parts.traffic.seen(view.name);
    parts.metrics.streamed('port', datagram.length, 0);
    flow.send(datagram);
  });
  const listener: Listener = {
    get flows() {
      return flows.size;
    },
    close: () => {
      closing = true;
      closeWhenIdle();
    },
  };
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      clearInterval(sweep);
      reject(error);
    };
    socket.once('error', failed);
    socket.bind(external, hostAddress, () => {
      socket.off('error', failed);
      // An answer that could not be sent is a lost datagram.
      socket.on('error', () => undefined);
      resolve(listener);
    });
  });
}

async function targetOf({ boots }: ListenerParts, view: WebspaceView, port: number, external: number): Promise<Target> {
  const { address, phase, http } = view;
  const mayTake = http.startupDelaySeconds * 1000;
  if (phase === 'running' && address !== undefined) return { address, port, deadline: Date.now() + mayTake };
  const started = await boots.started(view, 'port', `port ${external}/udp`);
  if (started.address === '') {
    throw new PlatformError('UNAVAILABLE', 'The webspace runs, but has no address.', { details: { reason: 'not-listening' } });
  }
  const target = { address: started.address, port, deadline: started.at + mayTake };
  // Datagrams to a container whose network is not up yet are lost without a word.
  await addressAnswers(target, target.deadline);
  return target;
}
