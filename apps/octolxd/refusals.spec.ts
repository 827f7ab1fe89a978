import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { octolxdConfigSchema } from '#libs/config/octolxd.js';
import { checksumBlock, compressed, imageFiles, tarXz } from './testing/image-files.js';
import { type Rig, startRig } from './testing/rig.js';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig({ limits: { unknownPerMinute: 20 } });
  const files = await imageFiles();
  await rig.github.publish('owner/repo', { tag: 'hello/v1.0.0', files, body: checksumBlock(files) });
});
afterEach(() => rig.close());

const index = (repository: string) => `/${repository}/streams/v1/index.json`;

test('a configuration that names nobody is refused', () => {
  const settings = { publicUrl: 'https://images.example.org', cacheFolder: '/x' };
  expect(octolxdConfigSchema.safeParse(settings).error?.issues[0]).toMatchObject({
    path: ['allow'],
    message: expect.stringContaining('allowAny'),
  });
  expect(octolxdConfigSchema.safeParse({ ...settings, allowAny: true }).success).toBe(true);
});

describe('requests that are no such', () => {
  test.each([
    ['a path that ends in the middle', '/owner', 404],
    ['another document', '/owner/repo/streams/v1/other.json', 404],
    ['an owner with a dot', index('own.er/repo'), 400],
    ['an owner that is an address', index('127.0.0.1/repo'), 400],
    ['an owner with a slash in disguise', index('owner%2Fother/repo'), 400],
    ['a repository that leads up', index('owner/..'), 400],
    ['a repository that leads up in disguise', index('owner/%2e%2e'), 400],
    ['a repository with a host', index('owner/repo@169.254.169.254'), 400],
    ['no percent-encoding', index('owner/%zz'), 400],
    ['a file with a NUL', '/owner/repo/images/hello/amd64/v1.0.0/%00', 404],
    ['a target with a host', 'http://169.254.169.254/latest/meta-data/', 400],
    ['an endless path', `/owner/repo/${'x'.repeat(3000)}`, 400],
  ])('%s: no call to GitHub', async (_what, path, status) => {
    const answer = await rig.get(path);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json; charset=utf-8']);
    expect(answer.json()).toMatchObject({ status, message: expect.any(String), code: expect.any(String) });
    expect(rig.github.requests).toEqual([]);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is 405', async (method) => {
    const answer = await rig.get(index('owner/repo'), { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
  });
});

describe('repositories that are not known', () => {
  test('one that is not allowed is 404 without a call', async () => {
    expect((await rig.get(index('stranger/repo'))).status).toBe(404);
    expect(rig.github.requests).toEqual([]);
  });

  test('1 000 of them cost few calls, and what is known is served meanwhile', async () => {
    await rig.get(index('owner/repo'));
    rig.github.resetCounts();
    const statuses = new Map<number, number>();
    for (let n = 0; n < 1000; n += 50) {
      const answers = await Promise.all([...Array(50)].map((_, at) => rig.get(index(`owner/none-${n + at}`))));
      for (const { status, headers } of answers) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      }
    }
    expect([...statuses.keys()].sort()).toEqual([404, 429]);
    expect(rig.calls().list).toBeLessThan(40);
    expect(statuses.get(404)).toBeLessThan(40);
    expect((await rig.get(index('owner/repo'))).status).toBe(200);
  }, 30_000);

  test('names count without regard to case', async () => {
    await rig.get(index('owner/repo'));
    await rig.get(index('OWNER/Repo'));
    expect(rig.calls().list).toBe(1);
  });
});

describe('bombs', () => {
  test('metadata that unpacks to much more than it is', async () => {
    const files = await imageFiles();
    const bomb = await compressed(Buffer.alloc(200 * 2 ** 20));
    await rig.github.publish('owner/repo', { tag: 'bomb/v1.0.0', files: { ...files, 'lxd.amd64.tar.xz': bomb } });
    expect((await rig.get(index('owner/repo'))).json().index.images.products).toEqual(['hello:amd64']);
    expect((await rig.get('/owner/repo')).text()).toContain('bomb/v1.0.0');
  }, 30_000);

  test.each([
    ['an absolute path', { name: '/etc/passwd' }],
    ['a path that leads up', { name: '../metadata.yaml' }],
    ['a link in place of the metadata', { name: 'metadata.yaml', linkname: '/etc/passwd' }],
  ])('%s', async (_what, entry) => {
    const files = { ...(await imageFiles()), 'lxd.amd64.tar.xz': await tarXz([entry, { name: 'metadata.yaml', content: '{}' }]) };
    await rig.github.publish('owner/repo', { tag: 'bad/v1.0.0', files });
    expect((await rig.get(index('owner/repo'))).json().index.images.products).toEqual(['hello:amd64']);
  });

  test('a metadata archive that is larger than may be read is not read', async () => {
    const files = { ...(await imageFiles()), 'lxd.amd64.tar.xz': Buffer.alloc(5 * 2 ** 20) };
    await rig.github.publish('owner/repo', { tag: 'large/v1.0.0', files });
    await rig.get(index('owner/repo'));
    expect(rig.github.counts.sentBytes).toBeLessThan(2 ** 20);
  });
});

describe('redirects of GitHub', () => {
  test('to an address that is not allowed are not followed', async () => {
    let strangers = 0;
    const stranger = createServer((_request, response) => {
      strangers += 1;
      response.end('secret');
    }).listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    try {
      const { port } = stranger.address() as { port: number };
      rig.github.faults.redirect(`http://127.0.0.1:${port}/secret`, { match: /^GET web/ });
      expect((await rig.get(index('owner/repo'))).json().index.images.products).toEqual([]);
      expect(strangers).toBe(0);
    } finally {
      stranger.close();
    }
  });
});

describe('health', () => {
  test('answers as the original, and more', async () => {
    expect((await rig.get('/health')).status).toBe(204);
    expect((await rig.get('/health/live')).json()).toEqual({ status: 'live' });
    expect((await rig.get('/health/ready')).json().status).toBe('ready');
    expect((await rig.get('/')).text()).toContain('https://images.example.org/');
  });
});

test('what is no HTTP ends the connection', async () => {
  const socket = connect(rig.port, '127.0.0.1');
  socket.end('nonsense\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400/);
});
