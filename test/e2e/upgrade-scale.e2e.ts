import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { report, times } from '../support/lab-session.js';
import { memberOf } from '../support/lxd8s-manifests.js';
import { Lxd8sWorld } from '../support/lxd8s-world.js';
import { Scalings } from '../support/scalings.js';
import { visitsDuring } from '../support/visits-during.js';

/** One node is always left over, for a member whose node is drained. */
const MOST = times({ short: 3, full: 5 });
const WEB = { web: { type: 'proxy', listen: 'tcp:0.0.0.0:8080', connect: 'tcp:127.0.0.1:80' } };

let world: Lxd8sWorld;
let scalings: Scalings;

beforeAll(async () => {
  world = await Lxd8sWorld.open(MOST + 1, { apps: 'all' });
  scalings = new Scalings(world.lab);
  await world.beginManaged(MOST);
}, 600_000);
afterAll(() => world?.close(), 240_000);

/** Where its container's page is, as long as it is on that member. */
async function site(member: string): Promise<string> {
  return `http://${(await world.pod(member))?.status.podIP}:8080/`;
}

const visitOf = (url: string) => async () => String((await http(url, { timeoutMs: 3_000 })).status);

async function launchSite(name: string, member: string): Promise<void> {
  await world.launch(name, member, { devices: WEB, config: { 'boot.autostart': 'true' } });
  await waitFor(`the page of ${name}`, async () => (await http(await site(member), { timeoutMs: 3_000 })).status === 200, {
    timeoutMs: 60_000,
  });
}

async function locationOf(instance: string): Promise<{ readonly location: string; readonly status: string }> {
  return world.client(memberOf(0)).request('GET', `/1.0/instances/${instance}`, { timeoutMs: 15_000 });
}

const claims = async () => (await world.kubectl(['get', 'persistentvolumeclaims', '-o', 'name'])).trim().split('\n').sort();
const claimsOf = (members: number) => Array.from({ length: members }, (_, at) => `persistentvolumeclaim/state-${memberOf(at)}`).sort();

describe('a cluster of LXD grows and shrinks by one approval each', () => {
  test('from one member to three: each joins a whole cluster, and the site of the first never notices', async () => {
    await launchSite('first', memberOf(0));
    const seen = await visitsDuring(visitOf(await site(memberOf(0))), /^200$/, async () => {
      const { plans, steps, summary } = await scalings.done({ replicas: 3 });
      await world.whole(3);
      expect([plans[0]?.coming, summary]).toEqual([[memberOf(1), memberOf(2)], expect.stringContaining('from 1 to 3 members')]);
      expect(steps.every(({ state }) => state === 'done')).toBe(true);
    });
    expect(seen.failed).toEqual([]);
    report('1 → 3', `${seen.visits} visits, the slowest took ${seen.slowestMs} ms`);
  }, 420_000);

  test('what there is no room for, or nothing to do for, is told without a change', async () => {
    expect((await scalings.plan({ replicas: 3 })).phase).toBe('nothing-to-do');
    const { phase, refusals } = await scalings.plan({ replicas: MOST + 4 });
    expect([phase, refusals.map(({ code }) => code)]).toEqual(['refused', ['no-room']]);
  }, 60_000);

  test('an abort while a member is emptied brings its instances back', async () => {
    const last = memberOf(2);
    await launchSite('moves', last);
    await world.launch('stays', last, { config: { 'cluster.evacuate': 'stop' } });
    const id = await scalings.approved({ replicas: 2 });
    await scalings.reaches(id, /member-empty: On lxd-2: 1 instance: stays/);
    expect((await locationOf('moves')).location).not.toBe(last);
    expect((await scalings.order(id, 'abort', { reason: 'not yet' })).status).toBe(200);
    await scalings.reaches(id, 'went-back');
    await world.whole(3);
    expect(await locationOf('moves')).toMatchObject({ location: last, status: 'Running' });
    expect(await locationOf('stays')).toMatchObject({ location: last, status: 'Running' });
    await world.client(memberOf(0)).request('PUT', '/1.0/instances/stays/state', { body: { action: 'stop', force: true } });
    await world.client(memberOf(0)).request('DELETE', '/1.0/instances/stays');
  }, 420_000);

  test('a member whose node is drained comes up on another, and the cluster is whole', async () => {
    const node = (await world.pod(memberOf(1)))?.spec.nodeName ?? '';
    await world.lab.kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--pod-selector=app=lxd8s'], {
      timeoutMs: 120_000,
    });
    await world.whole(3);
    expect((await world.pod(memberOf(1)))?.spec.nodeName).not.toBe(node);
    await world.lab.kubectl(['uncordon', node]);
  }, 240_000);

  test(`${MOST > 3 ? 'to five and back to three' : 'to two'}: instances move, members go one by one, and their volumes last`, async () => {
    if (MOST > 3) {
      await scalings.done({ replicas: MOST });
      await world.whole(MOST);
    }
    const to = MOST > 3 ? 3 : 2;
    if (MOST > 3) await launchSite('far', memberOf(MOST - 1));
    const moving = MOST > 3 ? 'far' : 'moves';
    const seen = await visitsDuring(visitOf(await site(memberOf(0))), /^200$/, async () => {
      const begun = Date.now();
      const { audit } = await scalings.done({ replicas: to, volumes: 'delete' });
      await world.whole(to);
      expect(audit.map(({ did }) => did)).toEqual(['requested', 'approve']);
      report(`${MOST} → ${to}`, `${((Date.now() - begun) / 1000).toFixed(1)} s`);
    });
    expect(seen.failed).toEqual([]);
    const { location, status } = await locationOf(moving);
    expect([Object.keys(await world.members()), status]).toEqual([expect.arrayContaining([location]), 'Running']);
    expect((await http(await site(location), { timeoutMs: 5_000 })).status).toBe(200);
    expect(await claims()).toEqual(claimsOf(to));
  }, 600_000);

  test('a member that is lost for good goes when it is given up, and only then', async () => {
    const members = 3;
    const last = memberOf(members - 1);
    if (MOST === members) {
      await world.renewVolume(last);
      await scalings.done({ replicas: members });
      await world.whole(members);
    }
    const node = (await world.pod(last))?.spec.nodeName ?? '';
    await world.launch('lost', last);
    await world.lab.process(node as `node-${number}`).kill('SIGKILL');
    const refused = async () => (await scalings.plan({ replicas: members - 1 })).refusals.some(({ code }) => code === 'member-away');
    await waitFor('the member to be seen away', refused, { timeoutMs: 90_000, intervalMs: 1_000 });
    const id = await scalings.approved({ replicas: members - 1, volumes: 'delete', lost: 'given-up' });
    // Nobody tells Kubernetes that the node does not come back, but a person.
    await scalings.reaches(id, /pod-gone/);
    await world.kubectl(['delete', 'pod', last, '--force', '--grace-period=0']);
    const { plans } = await scalings.reaches(id, 'finished');
    expect(plans[0]?.warnings.find(({ code }) => code === 'instances-lost')?.text).toContain('lost');
    await world.whole(members - 1);
    expect(await world.client(memberOf(0)).exists('/1.0/instances/lost')).toBe(false);
    expect(await claims()).toEqual(claimsOf(members - 1));
    await world.lab.up();
  }, 420_000);
});
