import { PORTS_STATUS_PATH, type PortsStatus } from '#libs/contracts/gateway.js';
import type { FurtherAnswers } from '#libs/service/health-server.js';
import type { Directory } from '../directory.js';
import type { Forwarder } from './forwarder.js';
import type { Traffic } from './traffic.js';

/** `/status/<webspace>`: what the kernel forwards to it now, whether this gateway is the one that forwards, and when it was last talked to. */
export function statusAnswers(directory: Directory, forwarder: Forwarder, traffic: Traffic): FurtherAnswers {
  return (path) => {
    if (!path.startsWith(PORTS_STATUS_PATH)) return undefined;
    const name = path.slice(PORTS_STATUS_PATH.length);
    const view = directory.get(name);
    if (!view) return { status: 404, body: { message: `There is no webspace "${name}" here.` } };
    const lastTraffic = traffic.last(name);
    const status: PortsStatus = { name, uid: view.uid, active: forwarder.active, kernel: forwarder.kernelOf(view) };
    return { status: 200, body: lastTraffic === undefined ? status : { ...status, lastTraffic } };
  };
}
