import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChartLab, MEMBER } from '#lab/chart/chart-lab.js';
import { NAMESPACE, volumeFolder } from '#lab/chart/surroundings.js';
import { MEMBER_MEMORY } from '#lab/chart/values.js';
import { BUMP } from '#lab/cluster/manifests.js';
import type { CommandError } from '#lab/exec.js';
import { startLab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { AttackPlace, INSTANCE, METADATA, TENANTS } from '../support/attacks/place.js';
import { TARGETS } from '../support/attacks/table.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { FULL, report } from '../support/lab-session.js';
import { metricAt } from '../support/lan/cluster-attack.js';
import { visitsDuring } from '../support/visits-during.js';

/** Those that have no rights at all on their node. */
const PROCESSES = ['api', 'gateway', 'temporal', 'worker'];
const NOBODY = ['get secrets', 'create rolebindings', `patch pods/${MEMBER}`];
/** The worker does these in an upgrade of the members, and they are in its namespace. */
const WORKER_ONLY = ['create pods', 'create pods --subresource=exec', 'patch statefulsets.apps'];
const PORT = 51_234;
/** The chart of commit cfbdc75, but for the API's section `kubernetes`, which today's API refuses: what is installed first. */
const FORMER = join(projectRoot(), 'test', 'support', 'former-chart.tgz');
/** What a webspace takes: less than it may have, and more than its member can spare. */
const FILLED_MIB = 950;

let chart: ChartLab;

beforeAll(async () => {
  chart = new ChartLab(await startLab({ nodes: 1, apps: 'none' }));
  // What a broken-off run left would be taken for this one's.
  await chart.remove();
  const begun = Date.now();
  await chart.install(undefined, FORMER);
  report('from the images to the first sweep', seconds(begun));
}, 600_000);
afterAll(() => chart?.remove(), 200_000);

/** The pods of LXD, and what their container `member` is of. */
async function members() {
  const pods = await chart.pods();
  return chart.memberNames.map((name) => {
    const pod = pods.get(name);
    const { image, env } = pod?.spec.containers.find((container) => container.name === 'member') ?? {};
    return { uid: pod?.metadata.uid, image, env };
  });
}

const SITE = /Webspaces/;
const NOBODY_ANSWERS = /Bad Gateway|Gateway Timeout|ECONN|EHOST/;
const visit = async () => (await chart.visit('alice')).body;
const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
/** Of a webspace's first process. */
const pid = async (name = INSTANCE) => (await chart.exec(['lxc', 'list', name, '--format', 'csv', '--columns', 'p'])).trim();
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
  it('a member makes a webspace by the API in its pod; a visitor boots it in the LXD of another, and sees its page over the LAN', async () => {
    const begun = Date.now();
    expect((await chart.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' })).status).toBe(201);
    expect(await instances()).toBe('ws-u1,STOPPED');
    const created = Date.now();
    expect(await chart.page('alice')).toContain('Webspaces');
    expect(await instances()).toBe('ws-u1,RUNNING');
    report('created, then its page', `${created - begun} ms, ${Date.now() - created} ms`);
  }, 120_000);

  it('is upgraded from a former one: the site is served all the time, LXD and its containers run on, and members go on as before', async () => {
    const running = async () => {
      const member = (await chart.pods()).get(MEMBER);
      return {
        pod: member?.metadata.uid,
        restarts: member?.status.containerStatuses?.map(({ restartCount }) => restartCount),
        container: await pid(),
      };
    };
    const before = await running();
    const { visits, failed } = await visitsDuring(visit, SITE, () => chart.upgrade());
    await chart.ready();
    report('visits of the site during helm upgrade, failed', `${visits}, ${failed.length}`);
    expect(failed).toEqual([]);
    expect(await running()).toEqual(before);
    expect(await chart.helm.run(['list', '--output', 'json'])).toContain('"revision":"2"');
    expect(await chart.kubectl(['get', 'serviceaccounts,roles,rolebindings', '--output', 'name'])).not.toContain('/webspaces-api');
    expect((await chart.api('alice', 'DELETE', '/v1/webspace/self/state')).status).toBe(204);
    expect(await chart.page('alice')).toContain('Webspaces');
  }, 300_000);

  it('row 44: all its pods become ready; those that need nothing of their node have no rights, and a root that is read-only', async () => {
    const pods = [...(await chart.pods()).keys()];
    expect(pods.map((name) => name.replace(/^webspaces-/, '').split('-')[0]).sort()).toEqual(
      [...PROCESSES, ...chart.memberNames.map(() => 'lxd'), 'router'].sort(),
    );
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
    const shown = await chart.exec(['sh', '-c', 'openssl s_client -connect $(hostname -i):8443 < /dev/null 2> /dev/null | openssl x509']);
    expect(new X509Certificate(shown).fingerprint256).toBe(new X509Certificate(readFileSync(chart.lxdCertificate)).fingerprint256);
  }, 60_000);

  it('row 81: LXD is there for its own clients, by its name at an entry point of Traefik, if it trusts them', async () => {
    expect((await chart.lxc(['list', 'chart:', '--format', 'csv', '--columns', 'n'])).trim()).toBe(INSTANCE);
    expect(await chart.lxc(['cluster', 'list', 'chart:', '--format', 'csv'])).toMatch(/^lxd-0,/);
    expect(await chart.lxc(['remote', 'list', '--format', 'csv'])).toMatch(/^chart,https:\/\/lxd\.chart\.test/m);
  }, 60_000);

  it('no account of the chart may do what it does not do', async () => {
    const ours = ['gateway', 'worker', 'lxd8s', 'kuberouter'].map((name) => `webspaces-${name}`);
    const asked = ['default', ...ours].flatMap((account) =>
      [...NOBODY, ...(account === 'webspaces-worker' ? [] : WORKER_ONLY)].map((what) => ({ account, what })),
    );
    for (const { account, what } of asked) {
      const as = `--as=system:serviceaccount:${NAMESPACE}:${account}`;
      const verdict = await chart.kubectl(['auth', 'can-i', ...what.split(' '), as]).catch(({ output }: CommandError) => output);
      expect({ account, what, verdict: verdict.trim() }).toEqual({ account, what, verdict: 'no' });
    }
  }, 90_000);

  it('row 27: a forwarded port of the router’s pod leads to it, and boots it when it is off', async () => {
    expect((await chart.api('alice', 'POST', `/v1/webspace/self/ports/${PORT}/80`)).status).toBe(201);
    expect(await byPort()).toContain('Webspaces');
    // Where the worker asks before it stops one.
    const status = `http://webspaces-router.${NAMESPACE}.svc:8082/status/${INSTANCE}`;
    expect(await chart.kubectl(['exec', 'deployment/webspaces-worker', '--', 'curl', '-s', status])).toContain('"active":true');
    expect((await chart.api('alice', 'DELETE', '/v1/webspace/self/state')).status).toBe(204);
    expect(await instances()).toBe('ws-u1,STOPPED');
    expect(await byPort()).toContain('Webspaces');
    expect(await instances()).toBe('ws-u1,RUNNING');
  }, 180_000);
});

describe('row 79: a member whose memory is short', () => {
  const memory = async () => {
    const state = await chart.exec(['curl', '-s', 'http://127.0.0.1:9798/state']);
    return (JSON.parse(state) as { readonly memory?: { readonly short: boolean } }).memory;
  };

  it('has the webspace shut down that was not used for longest, but for one that is always on; its owner sees why, and the next visit boots it', async () => {
    expect(await memory()).toMatchObject({ limitBytes: MEMBER_MEMORY.limitBytes, short: false });
    // Started one after the other; the first would be the one to be stopped.
    expect((await chart.api('alice', 'DELETE', '/v1/webspace/self/state')).status).toBe(204);
    for (const user of ['bob', 'alice', 'admin'] as const) {
      if (user !== 'alice') expect((await chart.api(user, 'POST', '/v1/webspace/self', { image: 'hello' })).status).toBe(201);
      expect(await chart.page(user)).toContain('Webspaces');
    }
    expect((await chart.api('bob', 'PATCH', '/v2/webspaces/ws-u2', { policy: { alwaysOn: true } })).status).toBe(202);
    const spared = async () => (await chart.api('bob', 'GET', '/v2/webspaces/ws-u2')).body.includes('"alwaysOn":true');
    await waitFor('bob’s to be always on', spared, { timeoutMs: 30_000 });
    const others = [await pid('ws-u2'), await pid('ws-u3')];
    const fill = `mkdir -p /fill && mount -t tmpfs none /fill && dd if=/dev/zero of=/fill/file bs=1M count=${FILLED_MIB}`;
    const filled = Date.now();
    await chart.exec(['lxc', 'exec', INSTANCE, '--', 'sh', '-c', fill]);
    const stopped = async () => {
      if ((await instances()).includes(`${INSTANCE},STOPPED`)) return true;
      throw new Error(JSON.stringify(await memory()));
    };
    await waitFor('the webspace to be shut down', stopped, { timeoutMs: 90_000, intervalMs: 500 });
    report('from a full memory to its webspace shut down', seconds(filled));
    expect((await chart.api('alice', 'GET', '/v2/operations?kind=shutdown')).body).toContain(`memory of ${MEMBER} is short: not used for`);
    await waitFor('the memory to be free again', async () => (await memory())?.short === false, { timeoutMs: 30_000, intervalMs: 500 });
    expect(await chart.page('alice')).toContain('Webspaces');
    expect([await pid('ws-u2'), await pid('ws-u3')]).toEqual(others);
    for (const user of ['bob', 'admin'] as const) expect((await chart.api(user, 'DELETE', '/v1/webspace/self')).status).toBe(204);
  }, 240_000);
});

describe('three members of LXD, by a value', () => {
  it('are a cluster after `helm upgrade`: the one that was there runs on, its site is served all the time', async () => {
    const before = await members();
    const begun = Date.now();
    const { failed } = await visitsDuring(visit, SITE, () => chart.grow(3));
    report('one member of LXD to three', seconds(begun));
    expect(failed).toEqual([]);
    expect((await members())[0]).toEqual(before[0]);
    expect((await chart.exec(['lxc', 'cluster', 'list', '--format', 'csv'])).match(/^lxd-\d.*Fully operational$/gm)).toHaveLength(3);
  }, 420_000);
});

describe('upgradeLxd8s replaces each member by an order at the API, after one approval; then the site is there again by itself', () => {
  it.each([{ kind: 'rolling', environment: {} }, ...(FULL ? [{ kind: 'lockstep-sequential', environment: { [BUMP]: '1' } }] : [])])(
    '$kind',
    async ({ kind, environment }) => {
      const upgrades = new Upgrades({ lab: chart, agreed: () => chart.ready() }, { name: 'lxd' });
      const before = await members();
      const image = kind === 'rolling' ? await chart.nextMemberImage() : (before[0]?.image ?? '');
      const id = await upgrades.begin({ image, environment });
      const { longestAwayMs, slowestMs, failed } = await visitsDuring(visit, SITE, async () => {
        await upgrades.approve(id, kind);
        await upgrades.reaches(id, 'finished');
        await waitFor('the site', async () => SITE.test(await visit()), { timeoutMs: 60_000, intervalMs: 200 });
      });
      report(
        `the site during upgradeLxd8s (${kind})`,
        `away for ${longestAwayMs} ms, slowest visit ${slowestMs} ms; ${[...new Set(failed)].join(', ')}`,
      );
      // In lockstep the gateway may say that it takes longer than it holds a visitor; nobody meets an address that nobody answers at.
      expect(kind === 'rolling' ? failed : failed.filter((said) => NOBODY_ANSWERS.test(said))).toEqual([]);
      const after = await members();
      for (const [at, member] of after.entries()) {
        expect(member.uid).not.toBe(before[at]?.uid);
        expect(member.image).toBe(image);
        for (const [name, value] of Object.entries(environment)) expect(member.env).toContainEqual({ name, value });
      }
      await chart.ready();
    },
    600_000,
  );
});

describe('the attack table: a webspace, a pod of another namespace, an account that nobody gave anything', () => {
  let place: AttackPlace;
  const refusedByRouter = () =>
    metricAt(`http://${place.addresses['webspaces-router-0']}:8185`, 'webspaces_kuberouter_refused_packets_total');
  let before: number;
  beforeAll(async () => {
    // First without them, so that it is the target that refuses.
    await chart.policies.stop();
    place = await AttackPlace.open(chart);
    before = await refusedByRouter();
  }, 180_000);
  afterAll(() => AttackPlace.remove(chart), 120_000);

  describe.each(TARGETS)('$name', ({ controls, attacks }) => {
    it.each(controls)('is there: $what', async ({ attempt, reads }) => expect(await attempt(place)).toMatch(reads), 60_000);
    it.each(attacks)(
      'is refused to a tenant’s $from ($what) by $by',
      async ({ attempt, reads }) => expect(await attempt(place)).toMatch(reads),
      60_000,
    );
  });

  it('each connection of the webspace came as far as the router, which counts what it refuses', async () => {
    expect(await chart.exec(['lxc', 'exec', INSTANCE, '--', 'ip', 'route'])).toContain('default via 172.24.254.1 ');
    const tried = TARGETS.flatMap(({ attacks }) => attacks).filter(({ from, by }) => from === 'container' && by.includes('router')).length;
    expect((await refusedByRouter()) - before).toBeGreaterThanOrEqual(tried);
  });

  describe('where NetworkPolicies are enforced', () => {
    /** The metrics are read from where this test runs. */
    const reader = () => ({ ipBlock: { cidr: `${chart.lab.profile.network.nodes.host}/32` } });
    /** curl's 7: refused before anything was said. */
    const REFUSED = '7';
    const asked = (url: string) => `curl -sk -m 10 -o /dev/null ${url}; echo $?`;
    beforeAll(async () => {
      await chart.change('networkPolicies', { metricsFrom: [reader()], metadataRefusedTo: [TENANTS] });
      await chart.policies.ensure();
    }, 240_000);

    it.each([
      { pod: MEMBER, port: 8443, by: 'deployment/webspaces-worker' },
      { pod: MEMBER, port: 9799, by: 'lxd-1' },
      { pod: MEMBER, port: 9798, by: 'lxd-1' },
      { pod: 'webspaces-temporal-0', port: 7233, by: 'deployment/webspaces-worker' },
    ])(
      'port $port of $pod is open to $by, and to no stranger',
      async ({ pod, port, by }) => {
        const url = `https://${place.addresses[pod]}:${port}/`;
        expect((await place.inRelease(by, asked(url))).trim()).not.toBe(REFUSED);
        expect((await place.inStrangers(asked(url))).map((said) => said.trim())).toEqual([REFUSED, REFUSED, REFUSED]);
      },
      60_000,
    );

    it.each([
      { pod: MEMBER, port: 9797 },
      { pod: MEMBER, port: 9798 },
      { pod: 'webspaces-gateway-0', port: 8082 },
    ])(
      'metrics at port $port of $pod are open to whom the values name, and to no stranger',
      async ({ pod, port }) => {
        const url = `http://${place.addresses[pod]}:${port}/metrics`;
        expect((await http(url, { timeoutMs: 10_000 })).status).toBe(200);
        expect((await place.inStrangers(asked(url))).map((said) => said.trim())).toEqual([REFUSED, REFUSED, REFUSED]);
      },
      60_000,
    );

    it('the metadata address is closed to the namespaces that the values name, and open to others', async () => {
      const metadata = `curl -s -m 20 http://${METADATA}/ || echo $?`;
      const strangers = async () => (await place.inStrangers(metadata)).map((said) => said.trim());
      expect(await strangers()).toEqual([REFUSED, REFUSED, 'credentials']);
      await chart.change('networkPolicies', { metricsFrom: [reader()], metadataRefusedTo: [TENANTS, NAMESPACE] });
      await chart.policies.ensure();
      await waitFor('all of them to be refused', async () => (await strangers()).every((said) => said === REFUSED), {
        ...{ timeoutMs: 60_000, intervalMs: 1_000 },
      });
      for (const pod of ['webspaces-gateway-0', MEMBER]) expect((await place.inRelease(pod, metadata)).trim()).toBe(REFUSED);
    }, 180_000);

    it('and the platform goes on: a webspace that is off is booted by its visitor', async () => {
      expect((await chart.api('alice', 'DELETE', '/v1/webspace/self/state')).status).toBe(204);
      expect(await chart.page('alice')).toMatch(SITE);
    }, 120_000);
  });
});

describe('helm uninstall', () => {
  it('leaves all volumes as they are, and says how to go on', async () => {
    expect(await chart.uninstall()).toContain('webspaces-after-uninstall');
    const list = async (kind: string) => (await chart.kubectl(['get', kind, '--output', 'name'])).trim().split('\n');
    await waitFor('its pods to end', async () => (await list('pods')).join('') === '', { timeoutMs: 60_000, intervalMs: 500 });
    expect(await list('persistentvolumeclaims')).toEqual(
      ['data-webspaces-temporal-0', ...chart.memberNames.map((name) => `lxd-${name}`), 'webspaces-clusters', 'webspaces-staging'].map(
        (name) => `persistentvolumeclaim/${name}`,
      ),
    );
    const goOn = await chart.kubectl(['get', 'configmap/webspaces-after-uninstall', '--output', 'jsonpath={.data.README}']);
    expect(goOn).toContain('helm upgrade --install webspaces');
    const rootOn = (member: string) => join(volumeFolder(chart.lab.profile, `lxd-${member}`), 'storage-pools/default/containers', INSTANCE);
    expect(chart.memberNames.map(rootOn).filter(existsSync)).toHaveLength(1);
  }, 300_000);
});
