import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChartLab, MEMBER } from '#lab/chart/chart-lab.js';
import { NAMESPACE } from '#lab/chart/surroundings.js';
import type { CommandError } from '#lab/exec.js';
import { startLab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { report } from '../support/lab-session.js';

/** Those that have no rights at all on their node. */
const PROCESSES = ['api', 'gateway', 'temporal', 'worker'];
const NOBODY = ['get secrets', 'create rolebindings'];
/** The worker does these in an upgrade of the members, and they are in its namespace. */
const WORKER_ONLY = ['create pods', 'create pods --subresource=exec', 'patch statefulsets.apps'];
const PORT = 51_234;
let chart: ChartLab;

beforeAll(async () => {
  chart = new ChartLab(await startLab({ nodes: 1, apps: 'none' }));
  // What a broken-off run left would be taken for this one's.
  await chart.remove();
  const begun = Date.now();
  await chart.install();
  report('from the images to the first sweep', seconds(begun));
}, 600_000);
afterAll(() => chart?.remove(), 200_000);

const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
const instances = async () => (await chart.exec(['lxc', 'list', '--format', 'csv', '--columns', 'ns'])).trim();

/** What the forwarded port of the router's pod answers. */
async function byPort(): Promise<string> {
  const router = (await chart.pods()).get('webspaces-router-0')?.status.podIP ?? '';
  const asked = async () => {
    const { status, body } = await http(`http://${router}:${PORT}/`, { timeoutMs: 30_000 });
    return status === 200 && body;
  };
  return waitFor('the forwarded port', asked, { timeoutMs: 60_000, intervalMs: 100 });
}

describe('the chart on a real node', () => {
  it('row 44: all its pods become ready; those that need nothing of their node have no rights, and a root that is read-only', async () => {
    const pods = [...(await chart.pods()).keys()];
    expect(pods.map((name) => name.replace(/^webspaces-/, '').split('-')[0]).sort()).toEqual([...PROCESSES, 'lxd', 'router'].sort());
    for (const name of pods.filter((pod) => PROCESSES.includes(pod.split('-')[1] ?? ''))) {
      const status = await chart.kubectl(['exec', name, '--', 'cat', '/proc/1/status']);
      expect(status).toMatch(/^Uid:\t1000\t/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      await expect(chart.kubectl(['exec', name, '--', 'touch', '/usr/written'])).rejects.toThrow(/Read-only file system/);
    }
  }, 60_000);

  it('rows 73 and 76: LXD has what the values say, and shows the certificate of the Secret', async () => {
    expect(await chart.exec(['lxc', 'profile', 'get', 'default', 'limits.memory'])).toContain('1GiB');
    const host = (await chart.pods()).get(MEMBER)?.status.podIP ?? '';
    expect(await certificateAt(host)).toBe(new X509Certificate(readFileSync(chart.lxdCertificate)).fingerprint256);
  }, 60_000);

  it('row 81: LXD is there for its own clients, by its name at an entry point of Traefik, if it trusts them', async () => {
    expect(await chart.lxc(['list', 'chart:', '--format', 'csv', '--columns', 'n'])).toBe('');
    expect(await chart.lxc(['cluster', 'list', 'chart:', '--format', 'csv'])).toMatch(/^lxd-0,/);
    expect(await chart.lxc(['remote', 'list', '--format', 'csv'])).toMatch(/^chart,https:\/\/lxd\.chart\.test/m);
  }, 60_000);

  it('no account of the chart may do what it does not do', async () => {
    const asked = ['api', 'gateway', 'worker', 'lxd8s', 'kuberouter'].flatMap((account) =>
      [...NOBODY, ...(account === 'worker' ? [] : WORKER_ONLY)].map((what) => ({ account, what })),
    );
    for (const { account, what } of asked) {
      const as = `--as=system:serviceaccount:${NAMESPACE}:webspaces-${account}`;
      const verdict = await chart.kubectl(['auth', 'can-i', ...what.split(' '), as]).catch(({ output }: CommandError) => output);
      expect({ account, what, verdict: verdict.trim() }).toEqual({ account, what, verdict: 'no' });
    }
  }, 90_000);

  it('a member makes a webspace by the API in its pod; a visitor boots it in the LXD of another, and sees its page over the LAN', async () => {
    const begun = Date.now();
    expect((await chart.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' })).status).toBe(201);
    expect(await instances()).toBe('ws-u1,STOPPED');
    const created = Date.now();
    expect(await chart.page('alice')).toContain('Webspaces');
    expect(await instances()).toBe('ws-u1,RUNNING');
    report('created, then its page', `${created - begun} ms, ${Date.now() - created} ms`);
  }, 120_000);

  it('row 27: a forwarded port of the router’s pod leads to it, and boots it when it is off', async () => {
    expect((await chart.api('alice', 'POST', `/v1/webspace/self/ports/${PORT}/80`)).status).toBe(201);
    expect(await byPort()).toContain('Webspaces');
    expect((await chart.api('alice', 'DELETE', '/v1/webspace/self/state')).status).toBe(204);
    expect(await instances()).toBe('ws-u1,STOPPED');
    expect(await byPort()).toContain('Webspaces');
    expect(await instances()).toBe('ws-u1,RUNNING');
  }, 180_000);
});

/** The fingerprint of what is shown to whoever connects. */
function certificateAt(host: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 8443, rejectUnauthorized: false, timeout: 5_000 }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
  });
}
