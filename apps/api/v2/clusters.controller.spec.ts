import { describe, expect, test } from '@jest/globals';
import { simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { detailOf } from '../testing/operations-fake.js';
import { shareTestApi } from '../testing/share-test-api.js';
import type { TestApi } from '../testing/test-api.js';
import { UPGRADE_ID } from '../testing/upgrade-example.js';

let api: TestApi;
shareTestApi((started) => {
  api = started;
});

const get = (path: string, token = 'root') => api.call({ path, token });
const running = () => {
  const root = { owner: 'cluster-lab', requestedBy: { subject: '1', username: 'root' } };
  api.operations.details.set(UPGRADE_ID, detailOf(UPGRADE_ID, { kind: 'upgrade', name: 'cluster-lab', ...root }));
};

describe('GET /v2/clusters', () => {
  test('names the clusters of the workers, each with the upgrade that is under way', async () => {
    api.operations.seen.set('look', ['lab', 'other']);
    running();
    expect((await get('/v2/clusters')).json()).toEqual({
      clusters: [{ name: 'lab', upgrade: expect.objectContaining({ id: UPGRADE_ID, status: 'running' }) }, { name: 'other' }],
    });
    api.operations.details.clear();
  });

  test('is for admins, and 503 when no worker answers', async () => {
    expect((await get('/v2/clusters', 'alice')).status).toBe(403);
    api.operations.seen.set('look', new PlatformError('UNAVAILABLE', 'No worker has answered in time.'));
    const answer = await get('/v2/clusters');
    expect([answer.status, answer.json()['detail']]).toEqual([503, 'No worker has answered in time.']);
  });
});

describe('GET /v2/clusters/{name}', () => {
  test('shows members, versions, roles, pods and probes as a worker sees them', async () => {
    const observed = simulationOf(3).observe();
    api.operations.seen.set('look:lab', observed);
    const { upgrade, ...cluster } = (await get('/v2/clusters/lab')).json();
    expect(cluster).toEqual(JSON.parse(JSON.stringify(observed)));
    expect(upgrade).toBeUndefined();
  });

  test('is 404 for one that is not configured, 400 for what is no name, 403 for members', async () => {
    api.operations.seen.set('look:none', new PlatformError('NOT_FOUND', 'No cluster none is configured for this worker (known: lab).'));
    expect((await get('/v2/clusters/none')).json()).toMatchObject({ status: 404, detail: expect.stringContaining('known: lab') });
    expect((await get('/v2/clusters/Lab_1')).json()).toMatchObject({ status: 400, field: 'name' });
    expect((await get('/v2/clusters/lab', 'alice')).status).toBe(403);
  });
});
