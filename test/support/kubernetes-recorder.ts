import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KubernetesRecorder {
  /** As the one it was made of, but by way of the recorder. */
  readonly kubeconfig: string;
  /** `group/resource verb` of every request that was carried out. */
  readonly used: ReadonlySet<string>;
  /** Requests that were forbidden. */
  readonly forbidden: readonly string[];
  close(): Promise<void>;
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string; 'insecure-skip-tls-verify'?: boolean } }[];
}

/** Stands between a process and the API server, and writes down what the process does there. */
export async function startKubernetesRecorder(kubeconfigOfProcess: string): Promise<KubernetesRecorder> {
  const config = JSON.parse(readFileSync(kubeconfigOfProcess, 'utf8')) as Kubeconfig;
  const cluster = config.clusters[0]?.cluster;
  if (!cluster) throw new Error('the kubeconfig names no cluster');
  const target = new URL(cluster.server);
  const agent = new Agent({ keepAlive: true, ca: Buffer.from(cluster['certificate-authority-data'] ?? '', 'base64') });
  const used = new Set<string>();
  const forbidden: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const options = { agent, method, path: url, host: target.hostname, port: target.port, headers: { ...headers, host: target.host } };
    const onward = request(options, (answer) => {
      const status = answer.statusCode ?? 502;
      if (status === 403) forbidden.push(`${method} ${url}`);
      for (const permission of permissionsOf(method, url, status)) used.add(permission);
      answer.pipe(outgoing.writeHead(status, answer.headers));
    });
    onward.on('error', () => incoming.socket.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-recorder-'));
  const kubeconfig = join(folder, 'kubeconfig.yaml');
  delete cluster['certificate-authority-data'];
  // Else the client refuses to send its token by plain HTTP.
  cluster['insecure-skip-tls-verify'] = true;
  cluster.server = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  return {
    kubeconfig,
    used,
    forbidden,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** `/apis/<group>/<version>/namespaces/<namespace>/<resource>[/<name>[/<subresource>]]`; an apply that creates needs both verbs. */
function permissionsOf(method: string, url: string, status: number): string[] {
  const match = /^\/api(?:s\/([^/]+))?\/[^/]+\/namespaces\/[^/]+\/([^/?]+)(?:\/([^/?]+))?(?:\/([^/?]+))?/.exec(url);
  if (!match || status === 403) return [];
  const [, group = '', resource, name, subresource] = match;
  const what = `${group}/${resource}${subresource ? `/${subresource}` : ''}`;
  const verb = method === 'GET' ? (name ? 'get' : /[?&]watch=true/.test(url) ? 'watch' : 'list') : VERBS[method];
  return [`${what} ${verb}`, ...(method === 'PATCH' && status === 201 ? [`${what} create`] : [])];
}
