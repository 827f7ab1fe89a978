import { join } from 'node:path';
import { accepts } from './accepts.js';
import { filesBelow, hashFiles } from './hash.js';
import { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import { projectRoot } from './project.js';

/**
 * Kubernetes and Temporal listen on the host's loopback; the router's network namespace has a loopback of its own. For what runs there they
 * can be reached at the host's end of the link, which no container reaches.
 */
export function relayProcess(profile: Profile): LabProcess {
  const { kubernetes, temporal } = profile.ports;
  return relay(profile, { name: 'relay', host: profile.network.hostLink.host, ports: [kubernetes, temporal] });
}

/** The same for real nodes and their pods, at the host's end of their bridge: Kubernetes only. */
export function nodesRelayProcess(profile: Profile): LabProcess {
  return relay(profile, { name: 'relay-nodes', host: profile.network.nodes.host, ports: [profile.ports.kubernetes] });
}

interface Relay {
  readonly name: string;
  readonly host: string;
  readonly ports: readonly number[];
}

function relay(profile: Profile, { name, host, ports }: Relay): LabProcess {
  const folder = join(projectRoot(), 'dist', 'lab', 'relay');
  const args = [join(folder, 'main.js'), host, ...ports.map((port) => `${port}=127.0.0.1:${port}`)];
  return new LabProcess(profile, {
    name,
    spec: () => ({
      command: process.execPath,
      args,
      cwd: projectRoot(),
      inputs: hashFiles(filesBelow(folder, (name) => name.endsWith('.js'))),
    }),
    healthy: async () => (await Promise.all(ports.map((port) => accepts(host, port)))).every(Boolean),
    readyTimeoutMs: 10_000,
  });
}
