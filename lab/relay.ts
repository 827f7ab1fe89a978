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
  const folder = join(projectRoot(), 'dist', 'lab', 'relay');
  const { host } = profile.network.hostLink;
  const { kubernetes, temporal } = profile.ports;
  const args = [join(folder, 'main.js'), host, ...[kubernetes, temporal].map((port) => `${port}=127.0.0.1:${port}`)];
  return new LabProcess(profile, {
    name: 'relay',
    spec: () => ({
      command: process.execPath,
      args,
      cwd: projectRoot(),
      inputs: hashFiles(filesBelow(folder, (name) => name.endsWith('.js'))),
    }),
    healthy: async () => (await accepts(host, kubernetes)) && (await accepts(host, temporal)),
    readyTimeoutMs: 10_000,
  });
}
