import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, tryRun } from '#lab/exec.js';
import type { Lab } from '#lab/harness.js';
import { type HttpAnswer, http } from '#lab/http.js';
import { buildImage, type Image, type ImageOptions } from '#lab/image.js';
import { releaseFiles, releaseText } from '#lab/image-release.js';
import { octolxdBeside } from '#lab/octolxd.js';
import type { LabProcess } from '#lab/process.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';

export const OWNER = 'society';
export const REMOTE = 'society';

/** An image server of the tests' own, by HTTPS, with a double of GitHub in the test's process behind it, and `lxc` of an operator who uses it. */
export interface ImageServer {
  readonly github: GithubDouble;
  readonly url: string;
  readonly process: LabProcess;
  /** Another process with these settings, and nothing remembered. */
  begin(changes?: object): Promise<void>;
  ask(path: string, headers?: Record<string, string>): Promise<HttpAnswer>;
  /** Reads a file to its end: how many bytes of which sha256 came, and whether all did. */
  download(path: string): Promise<Downloaded>;
  publish(repository: string, tag: string, image: Image, more?: object): Promise<void>;
  /** `lxc`, with its output. @throws CommandError */
  lxc(...args: readonly string[]): Promise<string>;
  /** LXD's daemon believes an image server's documents for an hour; not any more. */
  forgetDocuments(): void;
  /** Value of a line of /metrics. */
  metric(line: string): Promise<number>;
  close(): Promise<void>;
}

export interface Downloaded {
  readonly status: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly whole: boolean;
}

export async function startImageServer(lab: Lab, scheme: 'http' | 'https' = 'https'): Promise<ImageServer> {
  const { profile } = lab;
  // LXD in its sandbox follows redirects to it.
  const github = await startGithubDouble({ host: profile.network.hostLink.host, limits: { anonymous: 100_000 } });
  const folder = mkdtempSync(join(tmpdir(), 'image-server-'));
  const ca = readFileSync(profile.paths.caFile, 'utf8');
  const env = {
    ...{ PATH: '/usr/bin:/bin', HOME: folder, LXD_DIR: profile.paths.lxd },
    ...{ LXD_CONF: join(folder, 'lxc'), SSL_CERT_FILE: profile.paths.caFile },
  };
  let begun = 0;
  const settings = (changes: object) => ({
    github: { baseUrl: github.url, webUrl: github.url, assetHosts: [github.storageHost], allowPrivateAddresses: true },
    ...{ allow: [OWNER], refreshSeconds: 1, cacheFolder: join(folder, `cache-${begun}`), files: { serve: 'proxy' }, ...changes },
  });
  const beside = octolxdBeside(profile, settings({}), scheme);
  const ask = (path: string, headers: Record<string, string> = {}) => http(`${beside.url}${path}`, { ca, headers, timeoutMs: 60_000 });
  return {
    github,
    url: beside.url,
    process: beside.process,
    ask,
    async begin(changes = {}) {
      begun += 1;
      octolxdBeside(profile, settings(changes), scheme);
      await beside.process.restart();
      github.faults.clear();
      github.budget.refill();
      github.resetCounts();
    },
    download: (path) => download(`${beside.url}${path}`, ca),
    async publish(repository, tag, image, more = {}) {
      await github.publish(repository, { tag, files: releaseFiles(image), body: releaseText(image), ...more });
    },
    async lxc(...args) {
      const { exitCode, stdout, stderr } = await tryRun('lxc', args, { env, timeoutMs: 120_000 });
      if (exitCode !== 0) throw new CommandError(`lxc ${args.join(' ')}`, exitCode, `${stdout}${stderr}`);
      return stdout;
    },
    forgetDocuments() {
      const cache = join(profile.paths.lxd, 'cache');
      for (const entry of readdirSync(cache, { withFileTypes: true })) {
        if (entry.isDirectory()) rmSync(join(cache, entry.name), { recursive: true });
      }
    },
    async metric(line) {
      const { body } = await ask('/metrics');
      return Number(
        body
          .split('\n')
          .find((each) => each.startsWith(`${line} `))
          ?.slice(line.length + 1) ?? 0,
      );
    },
    async close() {
      await beside.process.stop();
      await github.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A variant of the lab's image, told apart by its serial. */
export function image(serial: string, more: ImageOptions = {}): Promise<Image> {
  return buildImage({ serial: `images-${serial}`, ...more });
}

function download(url: string, ca: string): Promise<Downloaded> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    let bytes = 0;
    const request = get(url, { ca, agent: false, timeout: 120_000 }, (answer) => {
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      // One that is cut is an outcome, too.
      answer.on('error', () => undefined);
      answer.once('close', () => resolve({ status: answer.statusCode ?? 0, bytes, sha256: hash.digest('hex'), whole: answer.complete }));
    });
    request.once('timeout', () => request.destroy(new Error(`no bytes of ${url}`)));
    request.once('error', reject);
  });
}
