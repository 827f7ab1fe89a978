import type { DnsNames } from '../../dns/answers.js';
import { serveNames } from '../../dns/server.js';
import { clusterNames, type EndpointSlice, type Service } from './names.js';
import { accessOf, Watched } from './watch.js';

/** `<host> <port> <kubeconfig>`: names of services and of their pods, for the pods of real nodes. */
const [host = '', port = '', kubeconfig = ''] = process.argv.slice(2);
const log = (line: string) => console.log(`${new Date().toISOString()} ${line}`);

let names: DnsNames = {};
const access = accessOf(kubeconfig);
const services = new Watched<Service>(access, '/api/v1/services', renew);
const slices = new Watched<EndpointSlice>(access, '/apis/discovery.k8s.io/v1/endpointslices', renew);

function renew(): void {
  names = clusterNames(services.values(), slices.values());
}

await serveNames({ host, port: Number(port), names: () => names }, () => undefined);
await Promise.all([services.follow(log), slices.follow(log)]);
