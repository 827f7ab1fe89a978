import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpAnswer, HttpRequest } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';
import { forward, talk } from '../support/ports.js';

const VISIT: HttpRequest = { timeoutMs: 60_000 };

const WEB = 50_110;

let session: Session;
let member: Member;
let ends: () => Promise<void>;
/** Names of instances, once for each time that LXD started them. */
const starts: string[] = [];

beforeAll(async () => {
  session = await openSession();
  member = session.members.one(0);
  await session.members.create(member);
  const lxd = createLxdClient({ socket: session.lab.lxdSocket });
  const connected = new Promise<void>((resolve) => {
    const subscription = lxd.events(['lifecycle'], {
      onEvent: ({ metadata }) => {
        const { action, source } = metadata as { action?: string; source?: string };
        if (action === 'instance-started') starts.push(source?.split('/').pop() ?? '');
      },
      onConnected: resolve,
      onDisconnected: () => undefined,
    });
    ends = async () => {
      subscription.close();
      await lxd.close();
    };
  });
  await connected;
}, 240_000);
afterAll(async () => {
  await ends?.();
  await session?.close();
}, 180_000);

const visit = (who: Member, path = '/', options: HttpRequest = {}): Promise<HttpAnswer> =>
  session.lab.visit(who.username, path, { ...VISIT, ...options });
const power = async (who: Member) =>
  (await session.lab.stack.lxd.client.request<{ status: string }>('GET', `/1.0/instances/${who.webspace}`)).status;

/** Off for certain, and known to be. */
async function off(...members: readonly Member[]): Promise<void> {
  await inTurns(members, 4, async (who) => {
    if ((await power(who)) !== 'Stopped') await session.members.expect(204, who, 'DELETE', '/state');
    await waitFor(`${who.webspace} stopped`, async () => (await session.cluster.phase(who.webspace)) === 'stopped', { timeoutMs: 10_000 });
  });
  await session.sweeps.quiet();
  starts.length = 0;
}

/** Puts a program of the test's own into the container. */
async function program(who: Member, path: string, text: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'program-'));
  writeFileSync(join(folder, 'program'), text);
  await session.lab.lxc(['file', 'push', '--mode=0755', join(folder, 'program'), `${who.webspace}${path}`]);
  rmSync(folder, { recursive: true });
}

/** After the command has ended well: it would die with the container. */
const POWER_OFF = (name: string) => ['exec', name, '--', 'sh', '-c', '(sleep 0.2; kill -PWR 1) > /dev/null 2>&1 < /dev/null &'];

const right = (who: Member) => (answer: HttpAnswer) => answer.status === 200 && answer.body.includes(who.webspace);

describe('row 25: a visit of a webspace that is off', () => {
  beforeEach(() => off(member), 60_000);

  it('boots it once, however many come at once, and all are answered', async () => {
    const count = times({ short: 200, full: 1_000 });
    const begun = Date.now();
    const answers = await Promise.all(Array.from({ length: count }, () => visit(member)));
    report(`${count} visitors at once`, `all answered after ${Date.now() - begun} ms`);
    expect(answers.filter(right(member))).toHaveLength(count);
    expect(starts).toEqual([member.webspace]);
  }, 120_000);

  it('boots it once for those who come to its site and to a forwarded port at once', async () => {
    await forward(session.members, member, WEB, 80);
    const [sites, ports] = [times({ short: 150, full: 800 }), times({ short: 50, full: 200 })];
    const answers = await Promise.all([
      ...Array.from({ length: sites }, async () => right(member)(await visit(member))),
      ...Array.from({ length: ports }, async () => (await talk(session.lab, WEB, 'GET / HTTP/1.0\r\n\r\n')).includes(member.webspace)),
    ]);
    expect(answers.filter(Boolean)).toHaveLength(sites + ports);
    expect(starts).toEqual([member.webspace]);
  }, 120_000);

  it('of several at once boots each once', async () => {
    const members = session.members.some(times({ short: 4, full: 50 }), 1);
    await inTurns(members, 4, (one) => session.members.create(one));
    await off(...members);
    const begun = Date.now();
    const all = await Promise.all(members.flatMap((one) => Array.from({ length: 20 }, async () => right(one)(await visit(one)))));
    report(`20 visitors of each of ${members.length} webspaces`, `all answered after ${Date.now() - begun} ms`);
    expect(all.filter(Boolean)).toHaveLength(members.length * 20);
    expect([...starts].sort()).toEqual(members.map(({ webspace }) => webspace).sort());
  }, 300_000);

  it('is named in its operations, with what came', async () => {
    expect(right(member)(await visit(member))).toBe(true);
    const { operations } = (
      await session.lab.api({ id: member.id }, 'GET', `/v2/operations?webspace=${member.webspace}&kind=boot&limit=1`)
    ).json<{
      operations: { requestedBy: unknown }[];
    }>();
    expect(operations[0]?.requestedBy).toMatchObject({ subject: 'gateway/http', username: expect.stringContaining(member.username) });
  }, 60_000);

  it('may be an upload, which arrives whole, as it does when it runs', async () => {
    await program(
      member,
      '/www/cgi-bin/sum',
      '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nhead -c "$CONTENT_LENGTH" | sha256sum\n',
    );
    const body = randomBytes(times({ short: 20, full: 200 }) * 1_000_000);
    const wanted = createHash('sha256').update(body).digest('hex');
    for (const phase of ['stopped', 'running']) {
      const answer = await visit(member, '/cgi-bin/sum', { method: 'POST', body, headers: { 'content-type': 'application/octet-stream' } });
      expect([phase, answer.status, answer.body.split(' ')[0]]).toEqual([phase, 200, wanted]);
    }
  }, 120_000);

  it('may be of a page with many parts', async () => {
    const parts = Array.from({ length: 30 }, (_, i) => visit(member, `/cgi-bin/request?part=${i}`));
    for (const [i, answer] of (await Promise.all(parts)).entries()) expect(answer.body).toContain(`query part=${i}\n`);
    expect(starts).toEqual([member.webspace]);
  }, 60_000);
});

describe('rows 10 and 25: a web server that comes up two seconds after its container', () => {
  it('is waited for as long as the start-up delay says: not at all with 0, until it answers with 30', async () => {
    const slow = session.members.one(55);
    await session.lab.importImage('slow-web', { webDelaySeconds: 2 });
    await session.members.create(slow, 'slow-web');
    await off(slow);
    await session.members.expect(200, slow, 'PATCH', '/config', { startupDelay: 0 });
    const told = await visit(slow, '/', { headers: { accept: 'text/html' } });
    expect(told).toMatchObject({ status: 503, body: expect.stringContaining('does not answer') });
    expect(told.headers['retry-after']).toBeDefined();
    await off(slow);
    await session.members.expect(200, slow, 'PATCH', '/config', { startupDelay: 30 });
    const begun = Date.now();
    expect(right(slow)(await visit(slow))).toBe(true);
    const took = Date.now() - begun;
    report('a web server that takes two seconds', `answered after ${took} ms`);
    expect(took).toBeGreaterThanOrEqual(2_000);
    // No fixed delay: what is left of the 30 seconds is nobody's to wait.
    expect(took).toBeLessThan(15_000);
    expect(starts).toEqual([slow.webspace]);
  }, 120_000);
});

describe('a webspace that was stopped behind our back', () => {
  it.each([
    ['by force', ['stop', '--force']],
    ['from inside', ['exec']],
    ['paused', ['pause']],
  ])(
    '%s: the next visit finds it running',
    async (_how, command) => {
      await visit(member);
      await waitFor('it to run', async () => (await session.cluster.target(member.webspace)) === member.webspace, { timeoutMs: 10_000 });
      const [verb = '', ...options] = command;
      await session.lab.lxc(verb === 'exec' ? POWER_OFF(member.webspace) : [verb, ...options, member.webspace]);
      await waitFor('it to be known', async () => (await session.cluster.target(member.webspace)) === 'webspaces-gateway', {
        timeoutMs: 10_000,
      });
      // Until Traefik has read the route anew it leads to what is gone (a 502), or frozen (no answer): the window of stops that nobody announced.
      const next = async () => {
        const answer = await visit(member, '/', { timeoutMs: 3_000 });
        return answer.status === 502 ? undefined : answer;
      };
      expect(await waitFor('the next visit', next, { timeoutMs: 10_000 })).toMatchObject({
        status: 200,
        body: expect.stringContaining(member.webspace),
      });
    },
    60_000,
  );

  it('row 28: that cannot start: a plain page with its operation, and the next visit tries again', async () => {
    await off(member);
    const { lab } = session;
    await lab.lxc(['config', 'set', member.webspace, 'raw.lxc=lxc.mount.entry = /nowhere-at-all mnt none bind 0 0']);
    const failed = await visit(member, '/', { headers: { accept: 'text/html' } });
    expect(failed).toMatchObject({ status: 503, body: expect.stringContaining('could not be started') });
    const [operation = ''] = /boot:[\w:-]+/.exec(failed.body) ?? [];
    const told = await lab.api({ id: member.id }, 'GET', `/v2/operations/${operation}`);
    expect(told.json()).toMatchObject({ kind: 'boot', status: 'failed', error: { code: 'OPERATION_FAILED' } });
    // LXD itself cleans up after the failed start.
    const mended = async () => (await lab.lxc(['config', 'unset', member.webspace, 'raw.lxc'])) !== undefined;
    await waitFor('the config to be mended', mended, { timeoutMs: 30_000 });
    await waitFor('the next visit to be answered', async () => right(member)(await visit(member)), { timeoutMs: 30_000 });
  }, 90_000);

  it.each([
    ['that gets no address', (init: string) => init.replace(/^ *udhcpc /m, ': ')],
    ['whose init dies', (init: string) => init.replace('\n', '\nexit 1\n')],
  ])(
    'row 28: %s: a clear page after a bounded time, and the next visit tries again',
    async (what, broken) => {
      await off(member);
      await session.members.expect(200, member, 'PATCH', '/config', { startupDelay: 3 });
      const init = await session.lab.lxc(['file', 'pull', `${member.webspace}/sbin/init`, '-']);
      expect(broken(init)).not.toBe(init);
      await program(member, '/sbin/init', broken(init));
      const begun = Date.now();
      const failed = await visit(member, '/', { headers: { accept: 'text/html' } });
      const took = Date.now() - begun;
      report(`a webspace ${what}`, `told after ${took} ms: ${/<h1>(.*?)<\/h1>/.exec(failed.body)?.[1]}`);
      expect(failed).toMatchObject({ status: 503, body: expect.stringMatching(/does not answer|could not be started/) });
      expect(failed.headers['retry-after']).toBeDefined();
      expect(took).toBeLessThan(15_000);
      await off(member);
      await program(member, '/sbin/init', init);
      await waitFor('the next visit to be answered', async () => right(member)(await visit(member)), { timeoutMs: 30_000 });
    },
    90_000,
  );

  it('row 28: whose web server never listens: a clear page after its start-up time, and the next visit tries again', async () => {
    await off(member);
    await session.members.expect(200, member, 'PATCH', '/config', { startupDelay: 1, httpPort: 8081 });
    const begun = Date.now();
    const silent = await visit(member, '/', { headers: { accept: 'text/html' } });
    expect(silent).toMatchObject({ status: 503, body: expect.stringContaining('does not answer') });
    expect(silent.headers['retry-after']).toBeDefined();
    report('a web server that never listens', `told after ${Date.now() - begun} ms`);
    await off(member);
    await session.members.expect(200, member, 'PATCH', '/config', { httpPort: 80, startupDelay: 3 });
    expect(right(member)(await visit(member))).toBe(true);
  }, 60_000);
});

describe('visitors who wait are answered', () => {
  beforeEach(() => off(member), 60_000);
  const many = () => Array.from({ length: 100 }, () => visit(member));

  it('although the worker dies meanwhile', async () => {
    const visitors = many();
    await session.lab.process('worker').kill('SIGKILL');
    await session.lab.process('worker').start();
    expect((await Promise.all(visitors)).filter(right(member))).toHaveLength(100);
    expect(starts).toEqual([member.webspace]);
  }, 120_000);

  it('or told to come again although Temporal dies meanwhile; it is started once', async () => {
    const visitors = many();
    await session.lab.process('temporal').kill('SIGKILL');
    await session.lab.process('temporal').start();
    const answers = await Promise.all(visitors);
    const refused = answers.filter((answer) => !right(member)(answer));
    report('Temporal killed with 100 waiting', `${refused.length} told to come again`);
    expect(refused.filter(({ status, headers }) => status !== 503 || headers['retry-after'] === undefined)).toEqual([]);
    await waitFor('it to be served', async () => right(member)(await visit(member)), { timeoutMs: 60_000 });
    expect(starts).toEqual([member.webspace]);
  }, 180_000);

  it('when it runs, although Temporal is away and nobody has published that it runs', async () => {
    await session.lab.process('temporal').kill('SIGKILL');
    try {
      await session.lab.lxc(['start', member.webspace]);
      await waitFor('it to be served', async () => right(member)(await visit(member)), { timeoutMs: 30_000 });
      expect(await session.cluster.phase(member.webspace)).toBe('stopped');
    } finally {
      await session.lab.process('temporal').start();
    }
    await waitFor('it to be published', async () => (await session.cluster.phase(member.webspace)) === 'running', { timeoutMs: 60_000 });
    expect(starts).toEqual([member.webspace]);
  }, 180_000);
});
