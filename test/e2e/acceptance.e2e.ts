import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { http } from '#lab/http.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { startApiBeside } from '../support/api-beside.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

const lxdJson = async <T>(path: string): Promise<T> => JSON.parse(await session.lab.lxc(['query', path])) as T;

describe('images and creation', () => {
  it('row 1: lists images without a token, as LXD has them', async () => {
    await session.lab.importImage('second', { serial: 'second' });
    const answer = await http(`${session.lab.profile.urls.api}/v1/images`);
    const shown = answer.json<{ fingerprint: string; size: number; aliases: { name: string }[] }[]>();
    const known = await lxdJson<{ fingerprint: string; size: number; aliases: { name: string }[] }[]>('/1.0/images?recursion=1');
    const essence = (images: typeof shown) =>
      images.map(({ fingerprint, size, aliases }) => [fingerprint, size, ...aliases.map(({ name }) => name).sort()].join(' ')).sort();
    expect(answer.status).toBe(200);
    expect(essence(shown)).toEqual(essence(known));
    expect(essence(shown).length).toBeGreaterThanOrEqual(2);
  }, 60_000);

  it('rows 4 and 5: makes a webspace from an alias and from a fingerprint, once; an unknown one leaves nothing', async () => {
    const { members } = session;
    const [one, two, three] = members.some(3) as [Member, Member, Member];
    await members.create(one);
    const instance = await lxdJson<{ profiles: string[]; config: Record<string, string> }>(`/1.0/instances/${one.webspace}`);
    expect(instance.profiles).toEqual(['default']);
    expect(Object.keys(instance.config)).toContain('user.webspaces.record');
    expect((await members.expect(409, one, 'POST', '', { image: 'hello' })).json()).toMatchObject({ message: 'already exists' });
    const [{ fingerprint } = { fingerprint: '' }] = await lxdJson<{ fingerprint: string }[]>('/1.0/images?recursion=1');
    await members.create(two, fingerprint);
    expect((await members.record(two)).image).toEqual({ fingerprint });
    for (const image of ['0'.repeat(64), 'no-such-image']) {
      expect((await members.expect(404, three, 'POST', '', { image })).json()).toMatchObject({ field: 'image' });
    }
    expect(await members.leftOf(three)).toEqual([]);
  }, 60_000);

  it('row 9: reads what is stored, also after the API was killed', async () => {
    const { lab, members } = session;
    const member = members.one(4);
    await members.create(member);
    await members.expect(201, member, 'POST', '/ports/51234/22');
    const { http: config, ports } = await members.record(member);
    const before = (await members.expect(200, member, 'GET')).json<object>();
    expect(before).toEqual({
      user: member.id,
      config: { startupDelay: config.startupDelaySeconds, httpPort: config.port, sniPassthrough: config.sniPassthrough },
      domains: [],
      ports: Object.fromEntries(ports.map(({ external, internal }) => [String(external), internal])),
    });
    await lab.process('api').kill('SIGKILL');
    await lab.process('api').start();
    expect((await members.expect(200, member, 'GET')).json()).toEqual(before);
  }, 60_000);
});

interface State {
  readonly running: boolean;
  readonly uptime: number;
  readonly usage: { readonly cpu: number; readonly memory: number; readonly processes: number };
  readonly networkInterfaces: Record<string, { readonly mac: string; readonly addresses: { readonly address: string }[] }>;
}

describe('state', () => {
  it('rows 13 and 14: is what LXD says while it runs, and nothing when it is off; changes are said once', async () => {
    const { members } = session;
    const member = members.one(5);
    await members.running(member);
    const shown = (await members.expect(200, member, 'GET', '/state')).json<State>();
    const { processes, network } = await lxdJson<{
      processes: number;
      network: Record<string, { hwaddr: string; addresses: { address: string }[] }>;
    }>(`/1.0/instances/${member.webspace}/state`);
    expect(shown).toMatchObject({ running: true, usage: { cpu: expect.any(Number), memory: expect.any(Number) } });
    expect(shown.usage.cpu).toBeGreaterThan(0);
    expect(Math.abs(shown.usage.processes - processes)).toBeLessThanOrEqual(2);
    expect(Object.keys(shown.networkInterfaces)).toEqual(['eth0']);
    expect(shown.networkInterfaces['eth0']?.mac).toBe(network['eth0']?.hwaddr);
    expect(shown.uptime).toBeGreaterThan(0);

    expect((await members.expect(409, member, 'POST', '/state')).json()).toMatchObject({ message: 'already running' });
    await members.expect(204, member, 'PUT', '/state');
    await members.expect(204, member, 'DELETE', '/state');
    expect((await members.expect(404, member, 'DELETE', '/state')).json()).toMatchObject({ message: 'not running' });
    expect((await members.expect(404, member, 'PUT', '/state')).json()).toMatchObject({ message: 'not running' });
    expect((await members.expect(200, member, 'GET', '/state')).json<State>()).toMatchObject({
      running: false,
      uptime: 0,
      usage: { cpu: 0 },
    });
  }, 60_000);

  it('row 43: limits of the profile hold inside', async () => {
    const { lab, members } = session;
    const member = members.one(6);
    await lab.lxc(['profile', 'set', 'default', 'limits.processes', '40']);
    try {
      await members.running(member);
      const { expanded_config: expanded } = await lxdJson<{ expanded_config: Record<string, string> }>(`/1.0/instances/${member.webspace}`);
      expect(expanded['limits.processes']).toBe('40');
      const script = 'i=0; while [ $i -lt 60 ]; do sleep 20 & i=$((i + 1)); done; jobs | wc -l';
      const { stderr } = (await members.expect(200, member, 'POST', '/exec', { command: script })).json<{ stderr: string }>();
      expect(stderr).toMatch(/fork/);
    } finally {
      await lab.lxc(['profile', 'unset', 'default', 'limits.processes']);
    }
  }, 90_000);
});

describe('the API as its operator sees it', () => {
  it('row 35: answers the preflight of an allowed origin, and of no other', async () => {
    const { lab } = session;
    const { identity } = parse(readFileSync(join(lab.profile.paths.apps, 'api.yaml'), 'utf8')) as { identity: object };
    const beside = await startApiBeside(lab, { identity, cors: { allowedOrigins: ['https://pages.example.org'] } });
    try {
      const preflight = (origin: string) =>
        http(`${beside.url}/v1/webspace/self`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PATCH' } });
      const allowed = await preflight('https://pages.example.org');
      expect(allowed.status).toBe(204);
      expect(allowed.headers['access-control-allow-origin']).toBe('https://pages.example.org');
      expect((await preflight('https://elsewhere.example.org')).status).toBe(403);
    } finally {
      await beside.close();
    }
  }, 60_000);

  it('row 36: is healthy, not so while LXD is away, and again without a restart', async () => {
    const { lab } = session;
    const status = async () => (await http(`${lab.profile.urls.api}/health`, { timeoutMs: 10_000 })).status;
    expect(await status()).toBe(204);
    const pid = lab.process('api').pid();
    await lab.process('lxd').kill('SIGKILL');
    const begun = Date.now();
    await waitFor('the API to say that LXD is away', async () => (await status()) === 503, { timeoutMs: 15_000 });
    report('unhealthy', `${Date.now() - begun} ms after the death of LXD`);
    await lab.up();
    await waitFor('the API to be healthy again', async () => (await status()) === 204, { timeoutMs: 15_000 });
    expect(lab.process('api').pid()).toBe(pid);
  }, 120_000);

  it('row 39: objects that belong to no webspace go with one sweep, and nothing is removed when the worker stops', async () => {
    const { cluster, lab, members, sweeps } = session;
    const member = members.one(8);
    await members.create(member);
    await sweeps.quiet();
    const name = 'ws-u1999999';
    const uid = randomUUID();
    const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.webspace]: name, [LABELS.uid]: uid };
    const claimant = { webspace: name, uid, operation: randomUUID() };
    await cluster.create('domain', {
      metadata: { name: 'orphan.ws.localhost', labels },
      spec: { host: 'orphan.ws.localhost', ...claimant },
    });
    await cluster.create('service', { metadata: { name, labels }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } });
    const owner = { id: '1999999', username: 'nobody' };
    await cluster.create('webspace', {
      metadata: { name, labels },
      spec: {
        uid,
        createdBy: claimant.operation,
        owner,
        image: { fingerprint: 'f'.repeat(64) },
        hosts: [],
        ports: [],
        withheld: [],
        http: { port: 80, startupDelaySeconds: 3, sniPassthrough: false },
      },
    });
    await sweeps.run();
    expect(await cluster.has('domain', 'orphan.ws.localhost')).toBe(false);
    expect(await cluster.has('webspace', name)).toBe(false);
    expect(await cluster.has('service', name)).toBe(false);
    const before = await cluster.versions();
    await lab.process('worker').stop();
    expect(await cluster.versions()).toEqual(before);
    await lab.process('worker').start();
  }, 120_000);

  it('row 40: reads file, environment and flags; an unknown key ends it before a port is opened; no secret is printed', () => {
    const { lab } = session;
    const file = join(lab.profile.paths.apps, 'api.yaml');
    const run = (config: string, args: readonly string[], env: Record<string, string> = {}) =>
      spawnSync(process.execPath, [join(projectRoot(), 'dist/apps/api/main.js'), '--config', config, ...args], {
        cwd: projectRoot(),
        encoding: 'utf8',
        timeout: 20_000,
        env: { PATH: '/usr/bin:/bin', ...env },
      });
    const printed = run(file, ['--print-config', '--log.level', 'warn'], { WEBSPACES__LIMITS__WAIT_SECONDS: '33' });
    expect(printed.status).toBe(0);
    expect(printed.stdout).toMatch(/level: warn/);
    expect(printed.stdout).toMatch(/waitSeconds: 33/);
    const key = readFileSync((parse(readFileSync(file, 'utf8')) as { sealing: { keyFile: string } }).sealing.keyFile, 'utf8');
    const [, secret = 'none'] = /"([A-Za-z0-9+/=]{40,})"/.exec(key) ?? [];
    expect(secret).not.toBe('none');
    expect(printed.stdout).not.toContain(secret);
    const wrong = join(lab.profile.paths.apps, 'wrong.yaml');
    writeFileSync(wrong, stringify({ ...(parse(readFileSync(file, 'utf8')) as object), colour: 'red' }), { mode: 0o600 });
    const refused = run(wrong, []);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('colour');
  }, 60_000);
});
