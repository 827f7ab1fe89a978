import type { Result } from 'autocannon';
import { type ImageServer, image, OWNER, startImageServer } from '../support/octolxd.js';
import { startNginx } from './nginx.js';
import type { Options } from './options.js';
import { CLIENTS, fire, lineOf } from './reads.js';
import { atLeastShare, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';

const RELEASES = 10;
const ROUNDS = 3;
const SHARE = 0.25;
const ORIGINAL_MB = 153;
const DOCUMENTS = [
  { name: 'images.json', original: '10 /s, 31 calls to GitHub each' },
  { name: 'index.json', original: '370 /s, 1 call to GitHub each' },
] as const;
const KINDS = ['', ', gzip'] as const;

/** The documents of an image server with ten releases, beside nginx that serves the same bytes from disk, in turns. */
export async function benchImages(stage: Stage, options: Options, report: Report): Promise<void> {
  const server = await startImageServer(stage.lab, 'http');
  try {
    await server.begin({ refreshSeconds: 600 });
    const repository = `${OWNER}/bench`;
    const released = await image('bench');
    for (let n = 0; n < RELEASES; n++) await server.publish(repository, `hello/v1.${n}.0`, released);
    const before = server.process.residentBytes();
    await measure(stage, { server, repository, before }, options, report);
  } finally {
    await server.close();
  }
}

interface Subject {
  readonly server: ImageServer;
  readonly repository: string;
  readonly before: number;
}

async function measure(stage: Stage, { server, repository, before }: Subject, options: Options, report: Report): Promise<void> {
  const paths = DOCUMENTS.map(({ name }) => `/${repository}/streams/v1/${name}`);
  const files = Object.fromEntries(await Promise.all(paths.map(async (path) => [path, (await server.ask(path)).body] as const)));
  const nginx = await startNginx(stage.lab.profile, files);
  try {
    const calls = server.github.counts.api;
    const results = new Map<string, Result[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, { name }] of DOCUMENTS.entries()) {
        for (const kind of KINDS) {
          const headers = kind === '' ? {} : { 'accept-encoding': 'gzip' };
          await into(results, `${name}${kind}`, { url: `${server.url}${paths[i]}`, headers, duration: options.seconds });
        }
        await into(results, `nginx: ${name}`, { url: `${nginx.url}${paths[i]}`, duration: options.seconds });
      }
    }
    report(`an image server with ${RELEASES} releases, ${CLIENTS} clients`, linesOf(results));
    const mb = (bytes: number) => bytes / 2 ** 20;
    const resident = mb(server.process.residentBytes());
    report('its memory, and what it asked GitHub meanwhile', [
      { what: 'resident', value: resident, unit: 'MB', difference: resident - mb(before), note: `original: ${ORIGINAL_MB} MB` },
      {
        what: 'calls to GitHub',
        value: server.github.counts.api - calls,
        unit: 'count',
        target: '0',
        met: server.github.counts.api === calls,
      },
    ]);
  } finally {
    await nginx.stop();
  }
}

async function into(results: Map<string, Result[]>, what: string, load: Parameters<typeof fire>[0]): Promise<void> {
  results.set(what, [...(results.get(what) ?? []), await fire(load)]);
}

function linesOf(results: ReadonlyMap<string, readonly Result[]>): Line[] {
  const line = (what: string): Line => lineOf(what, [...(results.get(what) ?? [])]);
  return DOCUMENTS.flatMap(({ name, original }) => {
    const raw = line(`nginx: ${name}`);
    const ours = KINDS.map((kind) => {
      const measured = line(`${name}${kind}`);
      return { ...measured, ...atLeastShare({ value: measured.value, raw: raw.value, share: SHARE }), note: `original: ${original}` };
    });
    return [...ours, raw];
  });
}
