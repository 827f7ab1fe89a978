import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Named } from './names.js';

const AGAIN_MS = 300;
/** The server ends a watch after this long, and a connection that died unnoticed is over. */
const WATCH_SECONDS = 60;

export interface Access {
  readonly server: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export function accessOf(kubeconfig: string): Access {
  type Config = { clusters: [{ cluster: Record<string, string> }]; users: [{ user: Record<string, string> }] };
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Config;
  const data = (text = '') => Buffer.from(text, 'base64');
  const { cluster } = clusters[0];
  const { user } = users[0];
  return {
    server: cluster['server'] ?? '',
    ca: data(cluster['certificate-authority-data']),
    cert: data(user['client-certificate-data']),
    key: data(user['client-key-data']),
  };
}

type Event<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: T };

/** Follows all objects of a kind; while the API is away, what was last known stays. */
export class Watched<T extends Named> {
  private objects = new Map<string, T>();

  constructor(
    private readonly access: Access,
    private readonly path: string,
    private readonly changed: () => void,
  ) {}

  values(): T[] {
    return [...this.objects.values()];
  }

  /** Never ends. */
  async follow(log: (line: string) => void): Promise<never> {
    for (;;) {
      try {
        await this.watchFrom(await this.list());
      } catch (error) {
        log(`${this.path}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await sleep(AGAIN_MS);
    }
  }

  private async list(): Promise<string> {
    let text = '';
    await this.stream(this.path, (chunk) => {
      text += chunk;
    });
    const { items, metadata } = JSON.parse(text) as { items: T[]; metadata: { resourceVersion: string } };
    this.objects = new Map(items.map((item) => [keyOf(item), item]));
    this.changed();
    return metadata.resourceVersion;
  }

  private async watchFrom(resourceVersion: string): Promise<void> {
    let rest = '';
    const query = `watch=1&resourceVersion=${resourceVersion}&timeoutSeconds=${WATCH_SECONDS}`;
    await this.stream(`${this.path}?${query}`, (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.take(JSON.parse(line) as Event<T>);
    });
  }

  private take({ type, object }: Event<T>): void {
    if (type === 'ERROR') throw new Error(`the watch ended: ${JSON.stringify(object).slice(0, 200)}`);
    if (type === 'DELETED') this.objects.delete(keyOf(object));
    else if (type !== 'BOOKMARK') this.objects.set(keyOf(object), object);
    this.changed();
  }

  private stream(path: string, onText: (text: string) => void): Promise<void> {
    const { server, ...tls } = this.access;
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, server), { ...tls, agent: false, timeout: (WATCH_SECONDS + 10) * 1_000 }, (answer) => {
        answer.setEncoding('utf8');
        answer.on('error', reject);
        answer.on('end', resolve);
        if (answer.statusCode !== 200) reject(new Error(`the API answered ${answer.statusCode}`));
        answer.on('data', (text: string) => {
          try {
            onText(text);
          } catch (error) {
            sent.destroy(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('nothing was heard for too long')));
      sent.on('error', reject);
      sent.end();
    });
  }
}

function keyOf({ metadata }: Named): string {
  return `${metadata.namespace}/${metadata.name}`;
}
