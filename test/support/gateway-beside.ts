import { besideProcess } from '#lab/apps.js';
import { run } from '#lab/exec.js';
import type { Lab } from '#lab/harness.js';
import type { LabProcess } from '#lab/process.js';
import { GATEWAY_SERVICE } from '#libs/contracts/webspaces-api.js';
import type { Cluster } from './cluster.js';

const SLICE = 'webspaces-gateway-beside';

/** A second gateway of sites beside the lab's, which Traefik finds as well. */
export async function startGatewayBeside(lab: Lab, cluster: Cluster): Promise<{ readonly process: LabProcess; close(): Promise<void> }> {
  const { ports, network } = lab.profile;
  const [health, port, tlsPort] = [ports.gateway + 3, ports.gateway + 4, ports.gateway + 5];
  // Traefik takes each address once, whatever its port.
  const address = network.hostLink.host.replace(/\.\d+$/, '.9');
  await run('ip', ['address', 'replace', `${address}/32`, 'dev', network.hostLink.device]);
  const http = { listen: `${address}:${port}`, tlsListen: `${address}:${tlsPort}` };
  const settings = { listen: `127.0.0.1:${health}`, http };
  const beside = besideProcess(lab.profile, 'gateway', settings, `http://127.0.0.1:${health}/health/ready`);
  await beside.restart();
  await cluster.remove('endpointSlice', SLICE);
  await cluster.create('endpointSlice', {
    metadata: { name: SLICE, labels: { 'kubernetes.io/service-name': GATEWAY_SERVICE } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port, protocol: 'TCP' },
      { name: 'tls', port: tlsPort, protocol: 'TCP' },
    ],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });
  return {
    process: beside,
    close: async () => {
      await cluster.remove('endpointSlice', SLICE);
      await beside.stop();
      await run('ip', ['address', 'delete', `${address}/32`, 'dev', network.hostLink.device]);
    },
  };
}
