import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { imageNameOf } from '#libs/domain/image-evidence.js';
import type { LxdImage } from '#libs/lxd/types.js';
import { instanceOf } from '../testing/lxd-stub.js';
import { startTestApi, type TestApi, UPLOAD_BYTES } from '../testing/test-api.js';

const SECRET = 'webhook-secret';
const SOURCE = { source: 'github:netsoc/images/hello', alias: 'hello' };
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ webhookSecret: SECRET, images: { sources: [SOURCE], keep: 3 } });
});
afterEach(() => {
  api.operations.started.length = 0;
  api.operations.details.clear();
  api.operations.looks.length = 0;
  api.lxd.images.length = 0;
  api.lxd.instances.clear();
});
afterAll(() => api.app.close());

const importing = (body: unknown, token = 'root', headers = {}) =>
  api.call({ method: 'POST', path: '/v2/images/imports', token, body, headers });
const upload = (body: unknown, token = 'root') => api.call({ method: 'POST', path: '/v2/images/uploads', token, body });
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

describe('POST /v2/images/imports', () => {
  test.each([
    [{ github: 'github:netsoc/images/hello' }, 'hello', { kind: 'github', owner: 'netsoc', repository: 'images', image: 'hello' }],
    [
      { github: 'github:netsoc/images/debian/minimal@^5.8', alias: 'Debian/12', prereleases: true },
      'Debian/12',
      { kind: 'github', owner: 'netsoc', repository: 'images', image: 'debian/minimal', version: '^5.8', prereleases: true },
    ],
    [
      { simplestreams: { server: 'https://images.example.org', alias: 'debian/12', certificate: CERTIFICATE } },
      'debian/12',
      { kind: 'simplestreams', server: 'https://images.example.org', alias: 'debian/12', certificate: CERTIFICATE },
    ],
  ])('begins %j', async (body, alias, source) => {
    const answer = await importing(body);
    expect([answer.status, answer.json()['kind']]).toEqual([202, 'import']);
    const [started] = api.operations.started;
    expect(started).toMatchObject({ kind: 'import', name: imageNameOf(alias), input: { alias, source, name: imageNameOf(alias) } });
    expect(answer.headers['x-operation-id']).toBe(answer.json()['id']);
  });

  test('from uploads, which must be there', async () => {
    const [metadata, rootfs] = [(await upload('metadata')).json(), (await upload('rootfs')).json()];
    const body = { upload: { metadata: metadata['id'], rootfs: rootfs['id'] }, alias: 'mine' };
    expect((await importing(body)).status).toBe(202);
    expect(api.operations.started[0]?.input).toMatchObject({
      source: { kind: 'upload', metadata: { sha256: metadata['sha256'], sizeBytes: 8 }, rootfs: { id: rootfs['id'] } },
    });
    const gone = await importing({ ...body, upload: { ...body.upload, rootfs: '00000000-0000-4000-8000-000000000000' } });
    expect([gone.status, gone.json()['field']]).toEqual([400, 'upload.rootfs']);
  });

  test.each([
    ['github', {}],
    ['github', { github: 'netsoc/images/hello' }],
    ['github', { github: 'github:netsoc/images' }],
    ['github', { github: 'github:net..soc/images/hello' }],
    ['github', { github: 'github:netsoc/images/hello@not a range' }],
    ['github', { github: 'github:netsoc/images/hello', simplestreams: { server: 'https://x.example', alias: 'a' } }],
    ['simplestreams.server', { simplestreams: { server: 'http://x.example', alias: 'a' } }],
    ['simplestreams.server', { simplestreams: { server: 'https://user:planted@x.example', alias: 'a' } }],
    ['simplestreams.server', { simplestreams: { server: 'https://x.example/?token=planted', alias: 'a' } }],
    ['simplestreams.alias', { simplestreams: { server: 'https://x.example' } }],
    ['simplestreams.certificate', { simplestreams: { server: 'https://x.example', alias: 'a', certificate: 'no' } }],
    ['upload.metadata', { upload: { metadata: '../../etc/passwd', rootfs: '00000000-0000-4000-8000-000000000000' }, alias: 'a' }],
    ['alias', { github: 'github:netsoc/images/hello', alias: '../x' }],
    ['alias', { github: 'github:netsoc/images/hello', alias: 'archive/ws-u1/x' }],
    ['alias', { upload: { metadata: '00000000-0000-4000-8000-000000000000', rootfs: '00000000-0000-4000-8000-000000000000' } }],
    ['keep', { github: 'github:netsoc/images/hello', keep: 0 }],
    ['architecture', { github: 'github:netsoc/images/hello', architecture: 'AMD 64' }],
    ['more', { github: 'github:netsoc/images/hello', more: 1 }],
  ])('names %s as what is wrong with %j', async (field, body) => {
    const answer = await importing(body);
    expect([answer.status, answer.json()['field']]).toEqual([400, field]);
    expect(api.operations.started).toEqual([]);
  });

  test('is for admins; the same key again is the same operation', async () => {
    const body = { github: 'github:netsoc/images/hello' };
    expect((await importing(body, 'alice')).status).toBe(403);
    expect((await importing(body, '')).status).toBe(401);
    const [first, second] = [
      await importing(body, 'root', { 'idempotency-key': 'k' }),
      await importing(body, 'root', { 'idempotency-key': 'k' }),
    ];
    expect(first.json()['id']).toBe(second.json()['id']);
    expect(api.operations.started).toHaveLength(1);
    expect((await importing({ ...body, keep: 5 }, 'root', { 'idempotency-key': 'k' })).status).toBe(409);
  });
});

describe('POST /v2/images/uploads', () => {
  test('keeps the bytes and tells their digest', async () => {
    const answer = await upload(Buffer.from([0, 255, 13, 10, 128]));
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({
      sizeBytes: 5,
      sha256: '672098eecaca353d3dee05da38b00e81d3dede461ea74c33d9d3cea60ae9a500',
    });
    expect(Date.parse(String(answer.json()['expiresAt']))).toBeGreaterThan(Date.now() + 80_000_000);
    expect(await api.staging.useUpload(String(answer.json()['id']))).toMatchObject({ sizeBytes: 5 });
  });

  test('refuses what is too large, empty, or sent by others, and leaves nothing of it', async () => {
    const before = await api.staging.usedBytes();
    const large = await upload(Buffer.alloc(UPLOAD_BYTES + 1));
    expect([large.status, large.json()['field']]).toEqual([400, 'body']);
    expect((await upload(undefined)).status).toBe(400);
    expect((await upload('x', 'alice')).status).toBe(403);
    expect(await api.staging.usedBytes()).toBe(before);
  });

  test('says so when the staging folder is full', async () => {
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push((await upload(Buffer.alloc(UPLOAD_BYTES - 1000, i))).status);
    expect(answers.at(-1)).toBe(502);
    await api.staging.sweepUploads(Date.now() + 2 * 86_400_000);
    expect((await upload('fits again')).status).toBe(201);
  });
});

const image = (fingerprint: string, changes: Partial<LxdImage> = {}): LxdImage => ({
  fingerprint: fingerprint.repeat(64),
  aliases: [],
  properties: {},
  size: 10,
  architecture: 'x86_64',
  type: 'container',
  cached: false,
  uploaded_at: '2026-01-02T03:04:05Z',
  last_used_at: '0001-01-01T00:00:00Z',
  ...changes,
});
const evidence = (version: string) => ({
  'webspaces.source': SOURCE.source,
  'webspaces.version': version,
  'webspaces.operation': 'import:x:y',
  'webspaces.alias': 'hello',
  'webspaces.imported-by': 'root',
  'webspaces.imported-at': `2026-01-0${version[0]}T00:00:00.000Z`,
});

describe('GET /v2/images', () => {
  test('shows versions of each alias, evidence, and who uses what', async () => {
    const current = image('b', { aliases: [{ name: 'hello', description: '' }], properties: evidence('2.0.0') });
    api.lxd.images.push(image('a', { properties: evidence('1.0.0') }), current, image('c', { cached: true }));
    const webspace = instanceOf('ws-u12', undefined);
    api.lxd.instances.set('ws-u12', { ...webspace, config: { 'volatile.base_image': 'a'.repeat(64) } });
    const answer = await api.call({ path: '/v2/images', token: 'root' });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      aliases: [{ alias: 'hello', fingerprint: 'b'.repeat(64), versions: [{ version: '2.0.0' }, { version: '1.0.0' }] }],
      images: [
        { usedBy: ['ws-u12'], evidence: { version: '1.0.0', importedBy: 'root', adopted: false } },
        { usedBy: [], aliases: ['hello'] },
        { cached: true },
      ],
    });
    expect(JSON.stringify((answer.json()['images'] as object[])[2])).not.toContain('evidence');
    expect((await api.call({ path: '/v2/images', token: 'alice' })).status).toBe(403);
  });

  test('shows the sources, what is there of them, and imports under way', async () => {
    api.lxd.images.push(image('b', { aliases: [{ name: 'hello', description: '' }], properties: evidence('2.0.0') }));
    await importing({ github: SOURCE.source });
    const answer = await api.call({ path: '/v2/images/sources', token: 'root' });
    expect(answer.json()).toMatchObject({
      sources: [{ ...SOURCE, range: '*', policy: 'approve', keep: 3, current: { version: '2.0.0' }, imports: [{ kind: 'import' }] }],
    });
    expect((await api.call({ path: '/v2/images/sources', token: 'alice' })).status).toBe(403);
  });
});

describe('POST /v2/operations/{id}/approve', () => {
  test('is for admins, and for imports that run', async () => {
    const id = String((await importing({ github: SOURCE.source })).json()['id']);
    const approve = (token: string, of = id) => api.call({ method: 'POST', path: `/v2/operations/${of}/approve`, token });
    expect((await approve('alice')).status).toBe(403);
    const approval = { approvedAt: '2026-01-02T03:04:05.000Z', approvedBy: { subject: '1', username: 'root' } };
    api.operations.answer = approval;
    const answer = await approve('root');
    expect([answer.status, answer.json()]).toEqual([200, approval]);
    const found = api.operations.details.get(id);
    if (found) api.operations.details.set(id, { ...found, status: 'completed' });
    expect((await approve('root')).status).toBe(409);
    expect((await approve('root', 'import:image-0:none')).status).toBe(404);
    expect(api.operations.orders).toEqual([{ id, update: 'approve', argument: { subject: '1', username: 'root' } }]);
  });
});

describe('POST /v2/github/webhook', () => {
  const event = (more: object) => {
    const release = { id: 7, tag_name: 'hello/v1.0.0', body: 'ä\u2028' };
    return JSON.stringify({ action: 'released', release, repository: { name: 'images', owner: { login: 'netsoc' } }, ...more });
  };
  const RELEASE = event({});
  const sign = (body: string, secret = SECRET) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const deliver = (body: string, headers: Record<string, string> = {}) =>
    api.call({
      method: 'POST',
      path: '/v2/github/webhook',
      body,
      headers: { 'x-github-event': 'release', 'x-github-delivery': 'aaaa-1111', 'x-hub-signature-256': sign(body), ...headers },
    });

  test('takes a signed release, whatever its size, and looks at the sources of that repository', async () => {
    const large = event({ sender: 'x'.repeat(100_000) });
    expect([(await deliver(RELEASE)).status, (await deliver(large, { 'x-github-delivery': 'aaaa-2222' })).status]).toEqual([202, 202]);
    expect(api.operations.looks).toEqual([
      { deliveryId: 'aaaa-1111', repository: 'netsoc/images' },
      { deliveryId: 'aaaa-2222', repository: 'netsoc/images' },
    ]);
  });

  test.each([
    [401, RELEASE, { 'x-hub-signature-256': sign(RELEASE, 'other') }],
    [401, RELEASE, { 'x-hub-signature-256': '' }],
    [401, `${RELEASE} `, { 'x-hub-signature-256': sign(RELEASE) }],
    [400, RELEASE, { 'x-github-delivery': '../x' }],
    [400, 'no json', {}],
    [400, event({ repository: { name: 'b/c', owner: { login: 'a' } } }), {}],
    [400, event({ release: undefined }), {}],
    [400, JSON.stringify({ x: 'x'.repeat(1_100_000) }), {}],
  ])('answers %i to what is not right', async (status, body, headers) => {
    expect((await deliver(body, headers)).status).toBe(status);
    expect(api.operations.looks).toEqual([]);
  });

  test('starts nothing for other events', async () => {
    expect((await deliver('{}', { 'x-github-event': 'ping' })).json()).toEqual({ outcome: 'pong' });
    expect((await deliver('{}', { 'x-github-event': 'push' })).json()).toEqual({ outcome: 'ignored' });
    expect(api.operations.looks).toEqual([]);
  });

  test('is off without a secret', async () => {
    const other = await startTestApi();
    const answer = await other.call({
      method: 'POST',
      path: '/v2/github/webhook',
      body: RELEASE,
      headers: { 'x-hub-signature-256': sign(RELEASE, '') },
    });
    await other.app.close();
    expect(answer.status).toBe(404);
  });
});
