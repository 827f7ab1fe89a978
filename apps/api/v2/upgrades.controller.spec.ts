import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { UPGRADE_QUERY } from '#libs/contracts/upgrades.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { openEvents } from '../testing/event-stream.js';
import { detailOf } from '../testing/operations-fake.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';
import { examplePlan, exampleReport, exampleView, UPGRADE_ID } from '../testing/upgrade-example.js';

const UPGRADES = '/v2/clusters/lab/upgrades';
const ONE = `${UPGRADES}/${UPGRADE_ID}`;
const IMAGE = 'registry.example.org/lxd:5.0.3';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  await api.app.listen(0, '127.0.0.1');
});
afterAll(() => api.app.close());
beforeEach(() => {
  const { details, filters, orders, seen, started, told } = api.operations;
  for (const all of [details, told, seen]) all.clear();
  for (const all of [filters, orders, started]) all.length = 0;
  api.operations.outcome = { result: {} };
  api.operations.answer = { answer: 'Done.' };
  seen.set('look', ['lab', 'other']);
});

function upgradeIs(status: 'running' | 'completed' | 'failed' = 'running', id = UPGRADE_ID): void {
  const root = { owner: 'cluster-lab', requestedBy: { subject: '1', username: 'root' } };
  api.operations.details.set(id, { ...detailOf(id, { kind: 'upgrade', name: 'cluster-lab', ...root }), status });
  if (status === 'running') api.operations.told.set(`${UPGRADE_QUERY} of ${id}`, exampleView());
}

const get = (path: string, token = 'root', headers: Record<string, string> = {}) => api.call({ path, token, headers });
const post = (path: string, body: unknown, token = 'root', headers: Record<string, string> = {}) =>
  api.call({ method: 'POST', path, token, body, headers });

describe('POST /v2/clusters/{name}/upgrades', () => {
  test('begins one, and says where it is', async () => {
    const body = { image: IMAGE, environment: { LXD_ARTIFICIALLY_BUMP_API_EXTENSIONS: '1' }, instances: 'evacuate' };
    const answer = await post(UPGRADES, body);
    const { id } = answer.json();
    expect([answer.status, answer.headers['location']]).toEqual([202, `${UPGRADES}/${id}`]);
    expect(api.operations.started).toMatchObject([
      {
        kind: 'upgrade',
        name: 'cluster-lab',
        summary: `upgrade lab to ${IMAGE}, asked by root`,
        input: { name: 'cluster-lab', cluster: 'lab', requestedBy: { subject: '1', username: 'root' }, ...body },
      },
    ]);
    expect(api.operations.started[0]?.input).not.toHaveProperty('dryRun');
  });

  test('with dryRun waits for the plan, and holds nothing that an upgrade needs', async () => {
    upgradeIs();
    const report = exampleReport({ phase: 'planned' });
    api.operations.outcome = { result: report };
    const answer = await post(UPGRADES, { image: IMAGE, dryRun: true });
    expect([answer.status, answer.json()]).toEqual([200, JSON.parse(JSON.stringify(report))]);
    expect(api.operations.started).toMatchObject([{ name: 'plan-lab', input: { dryRun: true } }]);
  });

  test('that takes longer to plan is 504 with an id that can be looked at', async () => {
    api.operations.outcome = 'running';
    const answer = await post(UPGRADES, { image: IMAGE, dryRun: true });
    const id = String(answer.json()['operation']);
    expect([answer.status, id]).toEqual([504, expect.stringMatching(/^upgrade:plan-lab:/)]);
    expect((await get(`${UPGRADES}/${id}`)).status).toBe(200);
  });

  test('is 409 at once while another runs, with its id; a repeat with the same key is not another', async () => {
    const key = { 'idempotency-key': 'k1' };
    const first = await post(UPGRADES, { image: IMAGE }, 'root', key);
    expect((await post(UPGRADES, { image: IMAGE }, 'root', key)).json()).toMatchObject({ id: first.json()['id'] });
    const second = await post(UPGRADES, { image: IMAGE });
    expect(api.operations.filters.at(-1)).toMatchObject({ kind: 'upgrade', status: 'running', webspace: 'cluster-lab' });
    expect(second.json()).toMatchObject({ status: 409, operation: first.json()['id'], detail: expect.stringContaining('root asked for') });
    expect((await post(UPGRADES, { image: `${IMAGE}-1` }, 'root', key)).status).toBe(409);
    expect(api.operations.started).toHaveLength(1);
  });

  test.each([
    [{}, 'image'],
    [{ image: 'lxd' }, 'image'],
    [{ image: 'lxd: 5' }, 'image'],
    [{ image: IMAGE, environment: { 'A-B': '1' } }, 'environment.A-B'],
    [{ image: IMAGE, environment: { A: 1 } }, 'environment.A'],
    [{ image: IMAGE, instances: 'move' }, 'instances'],
    [{ image: IMAGE, dryRun: 'yes' }, 'dryRun'],
    [{ image: IMAGE, force: true }, 'force'],
  ])('refuses %j, naming %s', async (body, field) => {
    expect((await post(UPGRADES, body)).json()).toMatchObject({ status: 400, field });
    expect(api.operations.started).toHaveLength(0);
  });

  test('is 404 for a cluster that no worker has, saying which there are, and 403 for members', async () => {
    expect((await post('/v2/clusters/none/upgrades', { image: IMAGE })).json()).toMatchObject({
      status: 404,
      detail: expect.stringContaining('lab, other'),
    });
    for (const dryRun of [true, false]) expect((await post(UPGRADES, { image: IMAGE, dryRun }, 'alice')).status).toBe(403);
    expect(api.operations.started).toHaveLength(0);
  });
});

describe('GET /v2/clusters/{name}/upgrades', () => {
  test('lists those of the cluster', async () => {
    upgradeIs();
    const answer = await get(`${UPGRADES}?limit=7`);
    expect(answer.json()).toMatchObject({ upgrades: [{ id: UPGRADE_ID }] });
    expect(api.operations.filters).toEqual([{ kind: 'upgrade', webspace: 'cluster-lab', limit: 7 }]);
    expect((await get(UPGRADES, 'alice')).status).toBe(403);
  });
});

describe('GET /v2/clusters/{name}/upgrades/{id}', () => {
  test('shows plan, steps, the present wait and the numbers of the gate', async () => {
    upgradeIs();
    const waits = [{ activity: 'watchGate', reason: 'volumes-settled: a copy is built (41 %)', attempts: 1 }];
    const detail = api.operations.details.get(UPGRADE_ID);
    if (detail) api.operations.details.set(UPGRADE_ID, { ...detail, waits });
    const view = JSON.parse(JSON.stringify(exampleView()));
    expect((await get(ONE)).json()).toMatchObject({ id: UPGRADE_ID, status: 'running', waits, upgrade: view });
  });

  test('that ended is shown from what it left, also when it failed, without a worker', async () => {
    upgradeIs('completed');
    api.operations.outcome = { result: exampleReport() };
    expect((await get(ONE)).json()).toMatchObject({ status: 'completed', upgrade: { phase: 'finished' } });
    upgradeIs('failed');
    api.operations.outcome = new PlatformError('CONFLICT', 'Nobody has approved.', {
      details: { report: exampleReport({ phase: 'ended' }) },
    });
    expect((await get(ONE)).json()).toMatchObject({ status: 'failed', upgrade: { phase: 'ended' } });
  });

  test('says why there is no view when no worker answers', async () => {
    upgradeIs();
    api.operations.told.clear();
    const answer = (await get(ONE)).json();
    expect(answer).toMatchObject({ status: 'running', upgradeUnavailable: 'No worker answers just now.' });
    expect(answer).not.toHaveProperty('upgrade');
  });

  test.each(['', '/report', '/events'])(
    'is 404 for an unknown id and for one of another cluster, and 403 for members: %s',
    async (part) => {
      expect((await get(`${UPGRADES}/upgrade:cluster-lab:no${part}`)).status).toBe(404);
      upgradeIs();
      expect((await get(`/v2/clusters/other/upgrades/${UPGRADE_ID}${part}`)).status).toBe(404);
      expect((await get(`${ONE}${part}`, 'alice')).status).toBe(403);
      expect((await get(`${UPGRADES}/create:ws-u12:1${part}`)).json()).toMatchObject({ status: 400, field: 'id' });
    },
  );
});

describe('orders to an upgrade', () => {
  const { hash } = examplePlan();
  const ORDERS = [
    ['approve', { hash, acceptPointOfNoReturn: true }],
    ['pause', { reason: 'the night is over' }],
    ['resume', {}],
    ['retry', {}],
    ['skip', { gate: 'volumes-settled', reason: 'the disk is being replaced' }],
    ['abort', { reason: 'wrong image' }],
  ] as const;

  test.each(ORDERS)('%s reaches the upgrade with who orders it, and its answer comes back', async (update, body) => {
    upgradeIs();
    const answer = await post(`${ONE}/${update}`, body);
    expect([answer.status, answer.json()]).toEqual([200, { answer: 'Done.' }]);
    expect(api.operations.orders).toEqual([{ id: UPGRADE_ID, update, argument: { ...body, by: { subject: '1', username: 'root' } } }]);
  });

  test.each(['pause', 'resume', 'retry', 'abort'])('%s needs no body', async (update) => {
    upgradeIs();
    expect((await post(`${ONE}/${update}`, undefined)).status).toBe(200);
  });

  test.each(ORDERS)('%s that is refused is 409 in the words of the upgrade', async (update, body) => {
    upgradeIs();
    api.operations.answer = new PlatformError('CONFLICT', 'The upgrade is not paused: it is running.');
    expect((await post(`${ONE}/${update}`, body)).json()).toMatchObject({
      status: 409,
      detail: 'The upgrade is not paused: it is running.',
    });
  });

  test.each(ORDERS)('%s by a member, to another cluster, to none, or to one that has ended orders nothing', async (update, body) => {
    upgradeIs();
    expect((await post(`${ONE}/${update}`, body, 'alice')).status).toBe(403);
    expect((await post(`/v2/clusters/other/upgrades/${UPGRADE_ID}/${update}`, body)).status).toBe(404);
    expect((await post(`${UPGRADES}/upgrade:cluster-lab:no/${update}`, body)).status).toBe(404);
    upgradeIs('completed');
    expect((await post(`${ONE}/${update}`, body)).json()).toMatchObject({ status: 409, operation: UPGRADE_ID });
    expect(api.operations.orders).toHaveLength(0);
  });

  test.each([
    ['approve', {}, 'hash'],
    ['approve', { hash, acceptPointOfNoReturn: 'yes' }, 'acceptPointOfNoReturn'],
    ['approve', { hash, by: { subject: '13', username: 'bob' } }, 'by'],
    ['skip', { gate: 'volumes-settled' }, 'reason'],
    ['skip', { gate: 'volumes-settled', reason: ' ' }, 'reason'],
    ['skip', { gate: 'volumes', reason: 'x' }, 'gate'],
    ['pause', { reason: 7 }, 'reason'],
  ])('%s with %j is 400 and names %s', async (update, body, field) => {
    upgradeIs();
    expect((await post(`${ONE}/${update}`, body)).json()).toMatchObject({ status: 400, field });
    expect(api.operations.orders).toHaveLength(0);
  });

  test('that is not answered in time is 504: it may have been heard', async () => {
    upgradeIs();
    api.operations.answer = 'running';
    expect((await post(`${ONE}/approve`, { hash })).json()).toMatchObject({ status: 504, operation: UPGRADE_ID });
  });
});

describe('GET …/{id}/report', () => {
  test('is JSON, and a page for who asks for one', async () => {
    upgradeIs('completed');
    api.operations.outcome = { result: exampleReport() };
    expect((await get(`${ONE}/report`)).json()).toEqual(JSON.parse(JSON.stringify(exampleReport())));
    const page = await get(`${ONE}/report`, 'root', { accept: 'text/html,application/xhtml+xml;q=0.9' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).toMatch(/^<!doctype html>[\s\S]*Upgrade of lab/);
  });

  test('of one that runs says so, and of one that left none why', async () => {
    upgradeIs();
    expect((await get(`${ONE}/report`)).json()).toMatchObject({ phase: 'running', summary: 'It has not ended yet: it is running.' });
    upgradeIs('failed');
    api.operations.told.set(`${UPGRADE_QUERY} of ${UPGRADE_ID}`, { ...exampleView(), phase: 'ended' });
    const detail = api.operations.details.get(UPGRADE_ID);
    if (detail) api.operations.details.set(UPGRADE_ID, { ...detail, error: { code: 'CONFLICT', message: 'Somebody holds the lock.' } });
    api.operations.outcome = new PlatformError('CONFLICT', 'Somebody holds the lock.');
    expect((await get(`${ONE}/report`)).json()).toMatchObject({ summary: 'It ended without a report. Somebody holds the lock.' });
  });
});

describe('the events of an upgrade', () => {
  test('begin with the present state, tell each change, and end with the upgrade', async () => {
    upgradeIs();
    const stream = await openEvents(api, `${ONE}/events`, { authorization: 'Bearer root' });
    await stream.until(/"phase":"running"/);
    api.operations.told.set(`${UPGRADE_QUERY} of ${UPGRADE_ID}`, { ...exampleView(), phase: 'paused' });
    await stream.until(/"phase":"paused"/);
    upgradeIs('completed');
    api.operations.outcome = { result: exampleReport() };
    const text = await stream.until(/"phase":"finished"/);
    expect(text.match(/event: upgrade\n/g)).toHaveLength(3);
    expect(text).toContain('id: end');
    await stream.ended;
  });

  test('answer 204 to a client that comes back after the end', async () => {
    upgradeIs('completed');
    expect((await get(`${ONE}/events`, 'root', { 'last-event-id': 'end' })).status).toBe(204);
  });
});

describe('upgrades among the operations', () => {
  test('are shown to admins only, and approved by their hash only', async () => {
    upgradeIs();
    const detail = api.operations.details.get(UPGRADE_ID);
    // Even to somebody whose account it seems to be.
    if (detail) api.operations.details.set(UPGRADE_ID, { ...detail, owner: '12' });
    expect((await get(`/v2/operations/${UPGRADE_ID}`)).json()).toMatchObject({ kind: 'upgrade', webspace: 'cluster-lab' });
    expect((await get(`/v2/operations/${UPGRADE_ID}`, 'alice')).status).toBe(403);
    expect((await get('/v2/operations?kind=upgrade', 'alice')).status).toBe(403);
    expect((await post(`/v2/operations/${UPGRADE_ID}/cancel`, undefined, 'alice')).status).toBe(403);
    expect((await post(`/v2/operations/${UPGRADE_ID}/approve`, undefined)).json()).toMatchObject({
      status: 409,
      detail: expect.stringContaining('hash'),
    });
  });
});
