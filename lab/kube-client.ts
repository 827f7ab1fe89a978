import { readFileSync } from 'node:fs';
import { request } from 'node:https';

/** What the lab itself asks Kubernetes, without the start of a kubectl each time. */
export class KubeClient {
  constructor(
    private readonly url: string,
    private readonly credentials: { ca: Buffer; cert?: Buffer; key?: Buffer; token?: string },
  ) {}

  static fromKubeconfig(file: string): KubeClient {
    type Config = { clusters: [{ cluster: Record<string, string> }]; users: [{ user: Record<string, string> }] };
    const config = JSON.parse(readFileSync(file, 'utf8')) as Config;
    const { cluster } = config.clusters[0];
    const { user } = config.users[0];
    return new KubeClient(cluster['server'] ?? '', {
      ca: readFileSync(cluster['certificate-authority'] ?? ''),
      ...(user['client-certificate'] ? { cert: readFileSync(user['client-certificate']) } : {}),
      ...(user['client-key'] ? { key: readFileSync(user['client-key']) } : {}),
      ...(user['token'] ? { token: user['token'] } : {}),
    });
  }

  /** The answer's status and parsed body; no status is an error here. */
  request<T>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<{ status: number; body: T }> {
    const { token, ...tls } = this.credentials;
    const headers = { 'content-type': contentType, ...(token ? { authorization: `Bearer ${token}` } : {}) };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.url), { method, headers, ...tls, agent: false, timeout: 10_000 }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: (text.startsWith('{') ? JSON.parse(text) : text) as T }));
      });
      sent.on('timeout', () => sent.destroy(new Error(`Kubernetes: no answer to ${method} ${path}`)));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async get<T>(path: string): Promise<T | undefined> {
    const { status, body } = await this.request<T>('GET', path);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`Kubernetes answered ${status} to GET ${path}`);
    return body;
  }
}
