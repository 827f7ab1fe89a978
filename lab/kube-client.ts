import { existsSync, readFileSync } from 'node:fs';
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
      ca: decoded(cluster['certificate-authority-data']),
      ...(user['client-certificate-data'] ? { cert: decoded(user['client-certificate-data']) } : {}),
      ...(user['client-key-data'] ? { key: decoded(user['client-key-data']) } : {}),
      ...(user['token'] ? { token: user['token'] } : {}),
    });
  }

  static tokenIn(kubeconfig: string): string | undefined {
    if (!existsSync(kubeconfig)) return undefined;
    return (JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: [{ user: { token?: string } }] }).users[0].user.token;
  }

  /** Whether the same server takes this token. */
  async accepts(token: string): Promise<boolean> {
    const other = new KubeClient(this.url, { ca: this.credentials.ca, token });
    return (await other.request('GET', '/version')).status === 200;
  }

  /** The answer's status and parsed body; no status is an error here. */
  request<T>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<{ status: number; body: T }> {
    const { token, ...tls } = this.credentials;
    const sentText = body === undefined ? undefined : JSON.stringify(body);
    // Without its length a DELETE's body would be left unread.
    const length = sentText === undefined ? {} : { 'content-length': Buffer.byteLength(sentText) };
    const headers = { 'content-type': contentType, ...length, ...(token ? { authorization: `Bearer ${token}` } : {}) };
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
      sent.end(sentText);
    });
  }

  async get<T>(path: string): Promise<T | undefined> {
    const { status, body } = await this.request<T>('GET', path);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`Kubernetes answered ${status} to GET ${path}`);
    return body;
  }
}

function decoded(base64 = ''): Buffer {
  return Buffer.from(base64, 'base64');
}
