import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChartLab } from '#lab/chart/chart-lab.js';
import { startClusterLab } from '#lab/cluster/harness.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';

let chart: ChartLab;

beforeAll(async () => {
  const cluster = await startClusterLab({ nodes: 1, members: 1, apps: 'none', cluster: 'anew' });
  chart = new ChartLab(cluster);
  const begun = Date.now();
  await chart.install();
  report('from the images to the first sweep', `${((Date.now() - begun) / 1000).toFixed(1)} s`);
}, 600_000);
afterAll(async () => {
  await chart?.remove();
}, 120_000);

const state = async () => (await chart.cluster.exec('lxd-0', ['lxc', 'list', '--format', 'csv', '--columns', 'ns'])).trim();

describe('the chart on a real node', () => {
  it('row 44: all its pods become ready, without rights, on a read-only root', async () => {
    const pods = await chart.pods();
    expect([...pods.keys()].map((name) => name.split('-')[1]).sort()).toEqual(['api', 'gateway', 'temporal', 'worker']);
    expect([...pods.values()]).toEqual([true, true, true, true]);
    for (const name of pods.keys()) {
      const status = await chart.kubectl(['exec', name, '--', 'cat', '/proc/1/status']);
      expect(status).toMatch(/^Uid:\t1000\t/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      const written = chart.kubectl(['exec', name, '--', 'touch', '/app/written']);
      await expect(written).rejects.toThrow(/Read-only file system|No such file/);
    }
  }, 60_000);

  it('a member makes a webspace by the API in its pod; a visitor boots it, and sees its page', async () => {
    const begun = Date.now();
    expect((await chart.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' })).status).toBe(201);
    expect(await state()).toBe('ws-u1,STOPPED');
    const created = Date.now();
    const visited = await waitFor(
      'the page',
      async () => {
        const answer = await chart.visit('alice');
        return answer.status === 200 && answer;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
    expect(visited.body).toContain('Webspaces');
    expect(await state()).toBe('ws-u1,RUNNING');
    report('created, then its page', `${created - begun} ms, ${Date.now() - created} ms`);
  }, 120_000);
});
