import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { SCALE_QUERY, type ScaleReport } from '#libs/contracts/scalings.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { openEvents } from '../testing/event-stream.js';
import { detailOf } from '../testing/operations-fake.js';
import { exampleScalePlan, exampleScaleView, SCALE_ID } from '../testing/scale-example.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';
import { UPGRADE_ID } from '../testing/upgrade-example.js';

const SCALINGS = '/v2/clusters/lab/scalings';
const ONE = `${SCALINGS}/${SCALE_ID}`;
const ROOT = { owner: 'cluster-lab', requestedBy: { subject: '1', username: 'root' } };

let api: TestApi;
shareTestApi((started) => {
  api = started;
});
beforeAll(() => api.app.listen(0, '127.0.0.1'));
beforeEach(() => {
  const { details, orders, seen, started, told } = api.operations;
  for (const all of [details, told, seen]) all.clear();
  for (const all of [orders, started]) all.length = 0;
  api.operations.outcome = { result: {} };
  api.operations.answer = { answer: 'Done.' };
  seen.set('look', ['lab']);
});

function scalingIs(status: 'running' | 'completed' = 'running'): void {
  api.operations.details.set(SCALE_ID, { ...detailOf(SCALE_ID, { kind: 'scale', name: 'cluster-lab', ...ROOT }), status });
  if (status === 'running') api.operations.told.set(`${SCALE_QUERY} of ${SCALE_ID}`, exampleScaleView());
}

const reportOf = (changes: Partial<ScaleReport>): ScaleReport => ({ ...exampleScaleView(), summary: '', ...changes });
const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
const get = (path: string, token = 'root') => api.call({ path, token });
const post = (path: string, body: unknown, token = 'root') => api.call({ method: 'POST', path, token, body });

describe('POST /v2/clusters/{name}/scalings', () => {
  test('begins one, and says where it is', async () => {
    const answer = await post(SCALINGS, { replicas: 5, volumes: 'delete' });
    expect([answer.status, answer.headers['location']]).toEqual([202, `${SCALINGS}/${answer.json()['id']}`]);
    expect(api.operations.started).toMatchObject([
      {
        kind: 'scale',
        name: 'cluster-lab',
        summary: 'scale lab to 5 members, asked by root',
        input: { name: 'cluster-lab', cluster: 'lab', replicas: 5, volumes: 'delete', lost: 'refused' },
      },
    ]);
    expect(api.operations.started[0]?.input).not.toHaveProperty('dryRun');
  });

  test('with dryRun waits for the plan, and holds nothing', async () => {
    const report = reportOf({ phase: 'planned' });
    api.operations.outcome = { result: report };
    const answer = await post(SCALINGS, { replicas: 2, dryRun: true });
    expect([answer.status, answer.json()]).toEqual([200, json(report)]);
    expect(api.operations.started).toMatchObject([{ name: 'plan-lab', input: { dryRun: true } }]);
  });

  test.each([
    ['a scaling', SCALE_ID, 'scale'],
    ['an upgrade', UPGRADE_ID, 'upgrade'],
  ] as const)('is 409 at once while %s of the cluster runs, and so is an upgrade', async (_what, id, kind) => {
    api.operations.details.set(id, detailOf(id, { kind, name: 'cluster-lab', ...ROOT }));
    for (const answer of [
      await post(SCALINGS, { replicas: 5 }),
      await post('/v2/clusters/lab/upgrades', { image: 'registry.example.org/lxd:6' }),
    ]) {
      expect(answer.json()).toMatchObject({ status: 409, operation: id, detail: expect.stringContaining('root asked for') });
    }
    expect(api.operations.started).toHaveLength(0);
  });

  test('is 409 beside one that runs, whatever is still listed that has just ended', async () => {
    api.operations.details.set(UPGRADE_ID, {
      ...detailOf(UPGRADE_ID, { kind: 'upgrade', name: 'cluster-lab', ...ROOT }),
      status: 'completed',
    });
    expect((await post(SCALINGS, { replicas: 5 })).status).toBe(202);
    api.operations.started.length = 0;
    expect((await post(SCALINGS, { replicas: 4 })).json()).toMatchObject({ status: 409, operation: expect.stringMatching(/^scale:/) });
    expect(api.operations.started).toHaveLength(0);
  });

  test.each([
    [{}, 'replicas'],
    [{ replicas: 0 }, 'replicas'],
    [{ replicas: 1.5 }, 'replicas'],
    [{ replicas: 3, volumes: 'wipe' }, 'volumes'],
    [{ replicas: 3, lost: true }, 'lost'],
    [{ replicas: 3, force: true }, 'force'],
  ])('refuses %j, naming %s', async (body, field) => {
    expect((await post(SCALINGS, body)).json()).toMatchObject({ status: 400, field });
  });

  test('is 404 for a cluster that no worker has, and 403 for members', async () => {
    expect((await post('/v2/clusters/none/scalings', { replicas: 3 })).status).toBe(404);
    for (const dryRun of [true, false]) expect((await post(SCALINGS, { replicas: 3, dryRun }, 'alice')).status).toBe(403);
    expect(api.operations.started).toHaveLength(0);
  });
});

describe('GET /v2/clusters/{name}/scalings', () => {
  test('lists those of the cluster, and the cluster says which is under way', async () => {
    scalingIs();
    expect((await get(SCALINGS)).json()).toMatchObject({ scalings: [{ id: SCALE_ID, status: 'running' }] });
    expect((await get('/v2/clusters')).json()).toEqual({ clusters: [{ name: 'lab', scaling: expect.objectContaining({ id: SCALE_ID }) }] });
    expect((await get(SCALINGS, 'alice')).status).toBe(403);
  });

  test('one shows plan, steps and what is waited for; of no worker it says why it does not', async () => {
    scalingIs();
    expect((await get(ONE)).json()).toMatchObject({ status: 'running', scaling: json(exampleScaleView()) });
    api.operations.told.clear();
    expect((await get(ONE)).json()).toMatchObject({ scalingUnavailable: expect.stringContaining('No worker') });
  });

  test('one that has ended is shown from what it left', async () => {
    scalingIs('completed');
    api.operations.outcome = { result: reportOf({ phase: 'finished', summary: 'lab from 3 to 2 members.' }) };
    expect((await get(ONE)).json()).toMatchObject({ scaling: { phase: 'finished' } });
    expect((await get(`${ONE}/report`)).json()).toMatchObject({ summary: 'lab from 3 to 2 members.' });
  });

  test('tells its events, the present state first, until it has ended', async () => {
    scalingIs();
    const stream = await openEvents(api, `${ONE}/events`, { authorization: 'Bearer root' });
    await stream.until(/"phase":"running"/);
    scalingIs('completed');
    api.operations.outcome = { result: reportOf({ phase: 'finished' }) };
    const text = await stream.until(/"phase":"finished"/);
    expect(text.match(/event: scaling\n/g)).toHaveLength(2);
    expect(text).toContain('id: end');
    await stream.ended;
  });

  test.each(['', '/report', '/events'])(
    'is 404 for an unknown id and for one of another cluster, and 403 for members: %s',
    async (path) => {
      scalingIs();
      expect((await get(`${SCALINGS}/scale:cluster-lab:x${path}`)).status).toBe(404);
      expect((await get(`/v2/clusters/other/scalings/${SCALE_ID}${path}`)).status).toBe(404);
      expect((await get(`${ONE}${path}`, 'alice')).status).toBe(403);
    },
  );
});

describe('orders to a scaling', () => {
  const ORDERS = {
    approve: { hash: exampleScalePlan().hash },
    pause: {},
    resume: {},
    retry: {},
    skip: { gate: 'member-empty', reason: 'nothing worth keeping' },
    abort: { reason: 'not now' },
  } as const;

  test.each(Object.entries(ORDERS))('%s reaches it with who orders it; what it refuses is 409 in its words', async (update, body) => {
    scalingIs();
    expect((await post(`${ONE}/${update}`, body)).json()).toEqual({ answer: 'Done.' });
    expect(api.operations.orders).toEqual([{ id: SCALE_ID, update, argument: { ...body, by: { subject: '1', username: 'root' } } }]);
    api.operations.answer = new PlatformError('CONFLICT', 'The scaling is not paused: it is running.');
    expect((await post(`${ONE}/${update}`, body)).json()).toMatchObject({ status: 409, detail: expect.stringContaining('not paused') });
    expect((await post(`${ONE}/${update}`, body, 'alice')).status).toBe(403);
  });

  test('a gate of upgrades alone is none of a scaling', async () => {
    scalingIs();
    expect((await post(`${ONE}/skip`, { gate: 'agreement', reason: 'x' })).json()).toMatchObject({ status: 400, field: 'gate' });
  });

  test('among the operations it is shown to admins only, and approved by its hash only', async () => {
    scalingIs();
    expect((await get(`/v2/operations/${SCALE_ID}`, 'alice')).status).toBe(403);
    expect((await post(`/v2/operations/${SCALE_ID}/approve`, {})).json()).toMatchObject({
      status: 409,
      detail: expect.stringContaining('/scalings/{id}/approve'),
    });
  });
});
