import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { uidOfObject } from '#libs/domain/projection.js';
import { FULL, openSession, report, type Session } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';
import { Originals, reportOf } from '../support/originals.js';

/** No account has this id. */
const NOBODY = 1900;

let session: Session;
let originals: Originals;
let running: Member;
let stopped: Member;
let full: Member;
let broken: Member;
let odd: Member;
let rival: Member;

beforeAll(async () => {
  session = await openSession();
  originals = new Originals(session.lab);
  [running, stopped, full, broken, odd, rival] = session.members.some(6) as [Member, Member, Member, Member, Member, Member];
}, 180_000);
afterAll(() => session?.close(), 180_000);

describe('webspaces of the original', () => {
  beforeAll(async () => {
    await originals.make(full.id, originals.recordOf(full.id, { domains: ['blog.example.com'], ports: { '50100': 22, '50101': 8080 } }));
    await originals.make(running.id);
    await originals.make(stopped.id);
    await originals.make(broken.id, '{"user":');
    await originals.make(odd.id, originals.recordOf(odd.id, { config: { startupDelay: 600, httpPort: 0, sniPassthrough: false } }));
    // Younger than `full`, which names the same domain and port.
    await originals.make(rival.id, originals.recordOf(rival.id, { domains: ['BLOG.example.com.'], ports: { '50100': 80 } }));
    await originals.make(NOBODY, originals.recordOf(NOBODY, { ports: { '50102': 22 } }));
    await originals.start(running.webspace);
    await session.sweeps.run();
  }, 120_000);

  it('are published as they stand, at the address that DHCP gave them; their record stays the original’s', async () => {
    const { cluster, lab, members } = session;
    await members.served(running);
    const slice = await cluster.find('endpointSlice', running.webspace);
    expect(slice?.['endpoints']).toMatchObject([{ addresses: [await originals.address(running.webspace)] }]);
    expect(await cluster.phase(stopped.webspace)).toBe('stopped');
    expect(await cluster.target(stopped.webspace)).toBe('webspaces-gateway');
    expect(await cluster.hosts(full.webspace)).toEqual([`${full.username}.ws.localhost`, 'blog.example.com']);
    expect(await originals.ours(running.webspace)).toBeUndefined();
    const shown = await lab.api('admin', 'GET', `/v2/webspaces/${running.webspace}`);
    expect(shown.json()).toMatchObject({ phase: 'running', owner: { id: String(running.id) } });
  }, 60_000);

  it('are read through v1 as ever', async () => {
    const { members } = session;
    expect((await members.expect(200, full, 'GET')).json()).toEqual({
      user: full.id,
      config: { startupDelay: 3, httpPort: 80, sniPassthrough: false },
      domains: ['blog.example.com'],
      ports: { '50100': 22, '50101': 8080 },
    });
    expect((await members.expect(200, odd, 'GET')).json()).toMatchObject({ config: { startupDelay: 60, httpPort: 80 } });
    expect((await members.expect(200, running, 'GET', '/state')).json()).toMatchObject({ running: true });
    expect((await members.expect(409, running, 'POST', '', { image: 'hello' })).json()).toMatchObject({ message: 'already exists' });
  });

  it('hold their names: the older of two that name the same keeps it, the other says so', async () => {
    const { cluster } = session;
    for (const [kind, name] of [
      ['domain', 'blog.example.com'],
      ['portForward', 'tcp-50100'],
    ] as const) {
      expect((await cluster.find(kind, name))?.['spec']).toMatchObject({ webspace: full.webspace });
    }
    expect(await cluster.condition(rival.webspace)).toMatchObject({ status: 'False', reason: 'HeldByAnother' });
    expect(await cluster.hosts(rival.webspace)).toEqual([`${rival.username}.ws.localhost`]);
  });

  it('one with an unreadable record is refused with the reason, and stops neither the others nor new webspaces', async () => {
    const { cluster, members } = session;
    const answer = await members.expect(502, broken, 'GET');
    expect(answer.body).toContain('user._webspaced');
    expect(await cluster.has('configMap', 'claims-epoch')).toBe(true);
    const fresh = members.one(10);
    await members.create(fresh);
    await members.delete(fresh);
  }, 30_000);

  it('one whose owner nobody knows says so, holds its ports, and has no route of ours', async () => {
    const { cluster } = session;
    const name = `ws-u${NOBODY}`;
    expect(await cluster.condition(name)).toMatchObject({
      status: 'False',
      reason: 'OwnerUnknown',
      message: expect.stringContaining(String(NOBODY)),
    });
    expect((await cluster.find('portForward', 'tcp-50102'))?.['spec']).toMatchObject({ webspace: name });
    expect(await cluster.has('ingressRoute', name)).toBe(false);
  });

  it('follow LXD when an operator starts and stops them', async () => {
    const { cluster, lab, members } = session;
    await lab.lxc(['start', odd.webspace]);
    await members.served(odd);
    await lab.lxc(['stop', odd.webspace, '--force']);
    await waitFor('the route to the gateway', async () => (await cluster.target(odd.webspace)) === 'webspaces-gateway', {
      timeoutMs: 20_000,
    });
  }, 60_000);

  it('have an address of their own from their next planned start on', async () => {
    const { cluster, members } = session;
    await members.expect(204, stopped, 'POST', '/state');
    await members.served(stopped);
    const record = await originals.ours(stopped.webspace);
    expect(record).toMatchObject({
      owner: { id: String(stopped.id), username: stopped.username },
      network: { address: expect.any(String) },
    });
    const address = String(record?.network.address);
    expect(await originals.address(stopped.webspace)).toBe(address);
    expect((await cluster.find('address', address.replaceAll('.', '-')))?.['spec']).toMatchObject({ uid: record?.uid });
    expect((await cluster.find('webspace', stopped.webspace))?.['spec']).toMatchObject({ address });
    await members.expect(204, stopped, 'DELETE', '/state');
    expect(await members.ask(stopped, 'GET', '/state').then((answer) => answer.json())).toMatchObject({ running: false });
  }, 60_000);
});

describe('an adoption', () => {
  it('as a dry run tells what would change, and changes nothing', async () => {
    const { cluster } = session;
    const before = await cluster.versions();
    const told = await originals.plan();
    // `stopped` was converted by its boot.
    expect(told.total).toBe(6);
    const of = (member: Member) => told.webspaces.find(({ name }) => name === member.webspace);
    expect(of(running)).toEqual({
      name: running.webspace,
      owner: { id: String(running.id), username: running.username },
      domains: [],
      ports: [],
      conflicts: [],
      warnings: [],
    });
    expect(of(full)).toMatchObject({
      domains: ['blog.example.com'],
      ports: [{ external: 50_100, internal: 22 }, { external: 50_101 }],
      conflicts: [],
    });
    expect(of(odd)?.warnings).toEqual([expect.stringContaining('httpPort 0'), expect.stringContaining('startupDelay 600')]);
    expect(of(broken)).toMatchObject({ problem: expect.stringContaining('it is not JSON') });
    expect(of(rival)?.conflicts).toEqual([
      `domain/blog.example.com is held by ${full.webspace}`,
      `portForward/tcp-50100 is held by ${full.webspace}`,
    ]);
    expect(told.webspaces.find(({ name }) => name === `ws-u${NOBODY}`)).toMatchObject({
      owner: { id: String(NOBODY) },
      warnings: [expect.stringContaining('nobody knows the user name')],
    });
    expect(told.leftovers.command).toContain('--selector app.kubernetes.io/managed-by=webspaced');
    expect(await cluster.versions()).toEqual(before);
    expect(await originals.ours(running.webspace)).toBeUndefined();
  }, 60_000);

  it('tells the objects that the original left in our namespace', async () => {
    const { cluster } = session;
    const left = { metadata: { name: 'ws-left', labels: { 'app.kubernetes.io/managed-by': 'webspaced' } }, spec: { clusterIP: 'None' } };
    await cluster.create('service', left);
    expect((await originals.plan()).leftovers.objects).toEqual(['Service ws-left']);
    await cluster.remove('service', 'ws-left');
  });

  it('is for admins', async () => {
    expect((await session.lab.api('alice', 'POST', '/v2/adoptions', { dryRun: true })).status).toBe(403);
  });

  it('converts all that can be read, reboots nothing, and no visitor notices', async () => {
    const { cluster, members } = session;
    const { pid } = await originals.state(running.webspace);
    const uid = uidOfObject(await cluster.find('webspace', running.webspace));
    const theirs = await originals.theirs(running.webspace);
    const visits = { answered: 0, not: 0 };
    let adopting = true;
    const visitor = (async () => {
      while (adopting) visits[(await members.page(running)) ? 'answered' : 'not']++;
    })();
    const begun = Date.now();
    const operation = await originals.adoptAll();
    report('adoption of 5 webspaces', `${Date.now() - begun} ms`);
    adopting = false;
    await visitor;
    expect(operation.status).toBe('completed');
    expect(reportOf(operation)).toBe(`5 converted, 1 not: ${broken.webspace}`);
    expect(visits).toEqual({ answered: expect.any(Number), not: 0 });
    expect(visits.answered).toBeGreaterThan(0);
    expect((await originals.state(running.webspace)).pid).toBe(pid);
    expect(await originals.ours(running.webspace)).toMatchObject({ uid, owner: { id: String(running.id), username: running.username } });
    expect(await originals.theirs(running.webspace)).toBe(theirs);
    expect(await originals.ours(broken.webspace)).toBeUndefined();
  }, 180_000);

  it('may be repeated: what is converted is left alone', async () => {
    const records = () => Promise.all([running, full, rival].map(({ webspace }) => originals.ours(webspace)));
    const before = await records();
    expect(reportOf(await originals.adoptAll())).toBe(`0 converted, 1 not: ${broken.webspace}`);
    expect(await records()).toEqual(before);
    expect((await originals.plan()).webspaces.map(({ name }) => name)).toEqual([broken.webspace]);
  }, 60_000);
});

describe('adopted webspaces', () => {
  it('are changed through v1 like any other', async () => {
    const { cluster, members } = session;
    const previous = await members.expect(200, running, 'PATCH', '/config', { startupDelay: 1 });
    expect(previous.json()).toEqual({ startupDelay: 3, httpPort: 80, sniPassthrough: false });
    await members.expect(201, running, 'POST', '/ports/50110/22');
    expect(await cluster.has('portForward', 'tcp-50110')).toBe(true);
    await members.expect(204, running, 'DELETE', '/ports/50110');
    expect(await cluster.has('portForward', 'tcp-50110')).toBe(false);
    await members.served(running);
  }, 60_000);

  it('get an address of their own by a reboot', async () => {
    const { members } = session;
    await members.expect(204, running, 'PUT', '/state');
    await members.served(running);
    const record = await originals.ours(running.webspace);
    expect(record?.network.address).toBe(await originals.address(running.webspace));
  }, 60_000);

  it('are converted by the first change, too, when nobody has adopted them', async () => {
    const { members } = session;
    const late = members.one(11);
    await originals.make(late.id, originals.recordOf(late.id, { ports: { '50120': 22 } }));
    await members.expect(200, late, 'PATCH', '/config', { httpPort: 8080 });
    expect(await originals.ours(late.webspace)).toMatchObject({
      http: { port: 8080 },
      ports: [{ external: 50_120 }],
      owner: { username: late.username },
    });
    await session.sweeps.run();
    await members.delete(late);
    expect(await members.leftOf(late)).toEqual([]);
  }, 60_000);

  it('are deleted with everything, converted or not, known or not', async () => {
    const { cluster, lab, members, sweeps } = session;
    const late = members.one(12);
    await originals.make(late.id, originals.recordOf(late.id, { domains: ['late.example.com'] }));
    await sweeps.run();
    for (const member of [running, full, late]) await members.delete(member);
    const nobody = `ws-u${NOBODY}`;
    expect((await lab.api('admin', 'DELETE', `/v2/webspaces/${nobody}`)).status).toBe(202);
    await waitFor('nothing of it to be left', async () => !(await cluster.everything()).some((what) => what.includes(nobody)), {
      timeoutMs: 30_000,
    });
    expect(await members.leftOf(running, full, late)).toEqual([]);
    expect(await members.instances()).not.toContain(nobody);
  }, 90_000);

  it('whose record was corrected are adopted by the next run', async () => {
    const { lab } = session;
    await lab.lxc(['config', 'set', broken.webspace, `user._webspaced=${JSON.stringify(originals.recordOf(broken.id))}`]);
    expect(reportOf(await originals.adoptAll())).toBe('1 converted, 0 not');
    expect((await originals.plan()).total).toBe(0);
    expect(await session.cluster.condition(broken.webspace)).toMatchObject({ reason: 'InStep' });
  }, 60_000);

  if (FULL) {
    it('50 of them at once', async () => {
      const { members, sweeps } = session;
      const fifty = members.some(50);
      await members.removeAll();
      await inTurns(fifty, 4, async ({ id, webspace }) => {
        await originals.make(id, originals.recordOf(id, { ports: { [String(51_000 + id)]: 22 } }));
        if (id % 5 === 0) await originals.start(webspace);
      });
      const up = fifty.filter(({ id }) => id % 5 === 0);
      const swept = Date.now();
      await sweeps.run();
      report('50 webspaces of the original published', `${Date.now() - swept} ms`);
      await Promise.all(up.map((member) => members.served(member)));
      const begun = Date.now();
      expect(reportOf(await originals.adoptAll())).toBe('50 converted, 0 not');
      report('50 webspaces adopted', `${Date.now() - begun} ms`);
      await Promise.all(up.map((member) => members.served(member)));
      expect((await sweeps.run()).restored).toBe(0);
    }, 600_000);
  }
});
