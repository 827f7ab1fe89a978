import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { octolxdConfigSchema } from '#libs/config/octolxd.js';
import { createGithub } from '#libs/github/create-github.js';
import { createLogger } from '#libs/logging/logger.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { type Octolxd, startOctolxd } from '../start-octolxd.js';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** False when the connection ended before the whole of the body was there. */
  readonly whole: boolean;
  text(): string;
  // biome-ignore lint/suspicious/noExplicitAny: a document as a test sees it
  json(): any;
}

export interface Rig {
  readonly github: GithubDouble;
  readonly folder: string;
  readonly port: number;
  /** Moves the server's clock on. */
  later(seconds: number): void;
  get(path: string, options?: { readonly headers?: Record<string, string>; readonly method?: string }): Promise<Reply>;
  /** Calls for listings, and files that were read. */
  calls(): { readonly list: number; readonly files: number };
  /** Another process with the same folder. */
  restart(changes?: object): Promise<void>;
  close(): Promise<void>;
}

/** The image server with a double of GitHub behind it, both over real sockets; `changes` are settings. */
export async function startRig(changes: object = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'octolxd-'));
  const github = await startGithubDouble({ limits: { anonymous: 100_000 } });
  let skippedMs = 0;
  let current = changes;
  const start = async (): Promise<Octolxd> => {
    const { cacheFolder = folder, github: more = {}, ...settings } = current as { cacheFolder?: string; github?: object };
    const config = octolxdConfigSchema.parse({
      listen: '127.0.0.1:0',
      publicUrl: 'https://images.example.org',
      github: {
        baseUrl: github.url,
        webUrl: github.url,
        assetHosts: [github.storageHost],
        allowPrivateAddresses: true,
        timeoutMs: 5_000,
        ...more,
      },
      allow: ['owner'],
      cacheFolder,
      ...settings,
    });
    const log = createLogger({ name: 'spec', level: 'silent' });
    return await startOctolxd({ config, github: createGithub(config.github), log, now: () => Date.now() + skippedMs });
  };
  let octolxd = await start();
  return {
    github,
    folder,
    get port() {
      return octolxd.port;
    },
    later: (seconds) => {
      skippedMs += seconds * 1000;
    },
    get: (path, options) => get(octolxd.port, path, options),
    calls: () => ({ list: github.counts.list, files: github.counts.web + github.counts.asset }),
    async restart(more = {}) {
      await octolxd.close();
      current = { ...current, ...more };
      octolxd = await start();
    },
    async close() {
      await octolxd.close();
      await github.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function get(port: number, path: string, options: { headers?: Record<string, string>; method?: string } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false, timeout: 20_000, ...options }, (answer) => {
      const chunks: Buffer[] = [];
      const end = (): void => {
        const bytes = Buffer.concat(chunks);
        const text = (): string => bytes.toString('utf8');
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          bytes,
          whole: answer.complete,
          text,
          json: () => JSON.parse(text()),
        });
      };
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      // A body that is cut is an answer, too.
      answer.on('error', () => undefined);
      answer.once('close', end);
    });
    sent.once('timeout', () => sent.destroy(new Error(`no answer to ${path}`)));
    sent.once('error', reject);
    sent.end();
  });
}
