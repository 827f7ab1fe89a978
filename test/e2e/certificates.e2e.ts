import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ISSUER } from '#lab/profile.js';
import { waitFor } from '#lab/wait.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { endVisits, visitAllTheTime, visitHost } from '../support/tls-visitor.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterEach(() => endVisits());
afterAll(() => session?.close(), 120_000);

const ISSUED_MS = 20_000;
const defaultHost = (member: Member) => `${member.username}.${session.lab.profile.baseDomain}`;

/** A record that names these domains, and objects that follow; proved in the DNS, so that nobody doubts them. */
async function withDomains(member: Member, domains: readonly string[], more: object = {}): Promise<void> {
  const { lab, members } = session;
  lab.dns.set(Object.fromEntries(domains.map((domain) => [domain, { txt: [`webspace:id:${member.id}`] }])));
  await members.writeRecord(member, { ...(await members.record(member)), domains, ...more });
  await members.expect(204, member, 'PATCH', '/state');
}

/** The domain is served with a certificate of its own. */
async function certified(domain: string): Promise<void> {
  const own = async () => {
    const { trusted, status, names } = await visitHost(session.lab, domain);
    if (trusted && status === 200 && names.join() === domain) return true;
    throw new Error(`${status} with ${trusted ? 'a trusted' : 'an untrusted'} certificate for ${names.join()}; ${await madeFor(domain)}`);
  };
  await waitFor(`${domain} with its own certificate`, own, { timeoutMs: ISSUED_MS });
}

/** What the cluster holds for the domain, for a test that waited in vain. */
async function madeFor(domain: string): Promise<string> {
  const named = async (kind: 'certificate' | 'ingressRoute' | 'secret') =>
    (await session.cluster.list(kind)).filter(({ metadata }) => metadata.name.endsWith(`.${domain}`));
  const [certificates, routes, secrets] = await Promise.all([named('certificate'), named('ingressRoute'), named('secret')]);
  return JSON.stringify([
    certificates.map(({ status }) => status),
    routes.map(({ spec }) => spec),
    secrets.map(({ metadata }) => metadata.name),
  ]);
}

const specOf = async (kind: 'certificate' | 'ingressRoute', name: string) => (await session.cluster.find(kind, name))?.['spec'];
const namesOf = async (kind: 'certificate' | 'certificateRequest' | 'secret' | 'ingressRoute', member: Member) =>
  (await session.cluster.list(kind, `webspaces.netsoc.ie/webspace=${member.webspace}`)).map(({ metadata }) => metadata.name).sort();
const versionsOf = async (...routes: string[]) =>
  Promise.all(routes.map(async (route) => (await session.cluster.find('ingressRoute', route))?.metadata.resourceVersion));

describe('row 18: the certificate of a custom domain', () => {
  it('is for exactly that name and of the issuer, and the route of that name alone is switched to it', async () => {
    const { cluster, lab, members } = session;
    const [member, other] = members.some(2) as [Member, Member];
    await members.running(member, other);
    await withDomains(other, ['other.example']);
    await certified('other.example');
    const untouched = ['other.example', defaultHost(other), defaultHost(member)];
    const routes = [member.webspace, other.webspace, `${other.webspace}.other.example`];
    const before = await versionsOf(...routes);
    const others = visitAllTheTime(lab, untouched);

    const begun = Date.now();
    await withDomains(member, ['one.example', 'two.example']);
    await Promise.all([certified('one.example'), certified('two.example')]);
    report('two domains with their certificates', `${Date.now() - begun} ms after the record named them`);
    expect((await visitHost(lab, 'one.example')).body).toContain(member.webspace);
    for (const domain of ['one.example', 'two.example']) {
      const name = `${member.webspace}.${domain}`;
      expect(await specOf('certificate', name)).toMatchObject({
        dnsNames: [domain],
        secretName: name,
        issuerRef: { ...ISSUER, group: 'cert-manager.io' },
      });
      expect(await specOf('ingressRoute', name)).toMatchObject({ tls: { secretName: name }, routes: [{ match: `Host(\`${domain}\`)` }] });
    }
    expect(await specOf('ingressRoute', member.webspace)).toMatchObject({ tls: { secretName: 'webspaces-default-tls' } });
    expect(await cluster.condition(member.webspace, 'Certificates')).toMatchObject({ status: 'True', reason: 'Issued' });

    const kept = await versionsOf(`${member.webspace}.two.example`);
    await withDomains(member, ['two.example']);
    const gone = async () => (await namesOf('secret', member)).length === 1;
    await waitFor('the Secret to be gone', gone, { timeoutMs: 10_000 });
    for (const kind of ['certificate', 'secret'] as const) expect(await namesOf(kind, member)).toEqual([`${member.webspace}.two.example`]);
    expect((await visitHost(lab, 'one.example')).status).toBe(404);
    expect((await visitHost(lab, 'two.example')).trusted).toBe(true);
    expect(await versionsOf(`${member.webspace}.two.example`)).toEqual(kept);

    expect(await others.seen()).toEqual(['trusted 200']);
    expect(await versionsOf(...routes)).toEqual(before);
  }, 120_000);

  it('is waited for: the site is served with the default certificate meanwhile, and switched at once when it is ready', async () => {
    const { cluster, lab, members } = session;
    const member = members.one(2);
    await members.running(member);
    await lab.process('cert-manager').kill('SIGKILL');
    await withDomains(member, ['late.example']);
    const meanwhile = await visitHost(lab, 'late.example');
    expect(meanwhile).toMatchObject({ status: 200, trusted: false, names: expect.arrayContaining(['*.ws.localhost']) });
    expect(meanwhile.body).toContain(member.webspace);
    expect(await cluster.condition(member.webspace, 'Certificates')).toMatchObject({
      status: 'False',
      reason: 'NotReady',
      message: expect.stringContaining('late.example'),
    });

    await lab.process('cert-manager').start();
    const ready = async () =>
      ((await cluster.find('certificate', `${member.webspace}.late.example`))?.['status'] as Status)?.conditions?.some(isReady);
    await waitFor('the Certificate to be ready', ready, { timeoutMs: ISSUED_MS, intervalMs: 20 });
    const begun = Date.now();
    await certified('late.example');
    report('route switched', `${Date.now() - begun} ms after the certificate was ready`);
    expect(Date.now() - begun).toBeLessThan(5_000);
  }, 90_000);

  it('that became ready while the worker was away is used as soon as that is back', async () => {
    const { lab, members } = session;
    const member = members.one(3);
    await members.running(member);
    await lab.process('cert-manager').kill('SIGKILL');
    await withDomains(member, ['away.example']);
    await lab.process('worker').kill('SIGKILL');
    await lab.process('cert-manager').start();
    const ready = async () => (await namesOf('secret', member)).length === 1;
    await waitFor('the certificate', ready, { timeoutMs: ISSUED_MS });
    expect((await visitHost(lab, 'away.example')).trusted).toBe(false);
    await lab.process('worker').start();
    await certified('away.example');
  }, 90_000);

  it('that becomes ready after the API server was killed is used, too: the watch is taken up again', async () => {
    const { lab, members } = session;
    const member = members.one(10);
    await members.running(member);
    await lab.process('cert-manager').kill('SIGKILL');
    await withDomains(member, ['watched.example']);
    await lab.process('kube-apiserver').kill('SIGKILL');
    await lab.up();
    await certified('watched.example');
  }, 120_000);

  it('stays when the webspace stops: a visitor boots it by that name', async () => {
    const { cluster, lab, members } = session;
    const member = members.one(4);
    await members.running(member);
    await withDomains(member, ['sleepy.example']);
    await certified('sleepy.example');
    const name = `${member.webspace}.sleepy.example`;
    await members.expect(204, member, 'DELETE', '/state');
    expect(await specOf('ingressRoute', name)).toMatchObject({
      routes: [{ services: [{ name: 'webspaces-gateway' }] }],
      tls: { secretName: name },
    });
    expect(await visitHost(lab, 'sleepy.example')).toMatchObject({ trusted: true, status: 200, names: ['sleepy.example'] });
    await members.settled(member);
    await certified('sleepy.example');
    expect(await cluster.condition(member.webspace)).toMatchObject({ reason: 'InStep' });
  }, 90_000);

  it('is none with SNI passthrough, and there again afterwards', async () => {
    const { cluster, members } = session;
    const member = members.one(5);
    await members.running(member);
    await withDomains(member, ['through.example']);
    await certified('through.example');
    const { http } = await members.record(member);
    await withDomains(member, ['through.example'], { http: { ...http, sniPassthrough: true } });
    const left = async () => [
      ...(await namesOf('certificate', member)),
      ...(await namesOf('certificateRequest', member)),
      ...(await namesOf('secret', member)),
      ...(await namesOf('ingressRoute', member)),
    ];
    await waitFor('no Certificate, no request for one, no Secret, no route by host', async () => (await left()).length === 0, {
      timeoutMs: 10_000,
    });
    expect((await cluster.find('ingressRouteTcp', member.webspace))?.['spec']).toMatchObject({
      routes: [{ match: `HostSNI(\`${defaultHost(member)}\`) || HostSNI(\`through.example\`)` }],
      tls: { passthrough: true },
    });
    await withDomains(member, ['through.example'], { http });
    await certified('through.example');
  }, 90_000);
});

describe('row 24: what belongs to a custom domain and was changed by hand', () => {
  it('is right again after one sweep, whatever was done to it, and no other name notices', async () => {
    const { cluster, lab, members, sweeps } = session;
    const member = members.one(6);
    await members.running(member);
    await withDomains(member, ['tampered.example', 'whole.example']);
    await Promise.all([certified('tampered.example'), certified('whole.example')]);
    const name = `${member.webspace}.tampered.example`;
    const before = await versionsOf(member.webspace, `${member.webspace}.whole.example`);
    const others = visitAllTheTime(lab, [defaultHost(member), 'whole.example']);

    const evil = ['patch', '-n', 'webspaces', '--type=merge', '-p'];
    const tampering: Record<string, () => Promise<unknown>> = {
      'its Certificate removed': () => cluster.remove('certificate', name),
      'its Secret removed': () => cluster.remove('secret', name),
      'its route removed': () => cluster.remove('ingressRoute', name),
      'its route led elsewhere': () => lab.kubectl([...evil, '{"spec":{"routes":[]}}', 'ingressroutes.traefik.io', name]),
      'another name in its Certificate': () =>
        lab.kubectl([...evil, '{"spec":{"dnsNames":["tampered.example","evil.example"]}}', 'certificates.cert-manager.io', name]),
    };
    const exact = async () =>
      ((await specOf('certificate', name)) as { dnsNames: string[] } | undefined)?.dnsNames.join() === 'tampered.example';
    for (const [what, tamper] of Object.entries(tampering)) {
      await tamper();
      await sweeps.run();
      // A reconcile that ran already may end after the sweep.
      await waitFor(`${what}: the Certificate for its one name`, exact, { timeoutMs: 10_000 });
      await certified('tampered.example');
    }
    expect(await others.seen()).toEqual(['trusted 200']);
    expect(await versionsOf(member.webspace, `${member.webspace}.whole.example`)).toEqual(before);
  }, 120_000);

  it('comes back with everything else when all objects of the webspace were deleted', async () => {
    const { cluster, members, sweeps } = session;
    const member = members.one(7);
    await members.running(member);
    await withDomains(member, ['lost.example']);
    await certified('lost.example');
    await cluster.removeEverything(member.webspace);
    await sweeps.run();
    await certified('lost.example');
    expect(await namesOf('secret', member)).toEqual([`${member.webspace}.lost.example`]);
  }, 90_000);

  it('is removed when it is a Secret without a webspace, and no other Secret is', async () => {
    const { cluster, members, sweeps } = session;
    const { webspace } = members.one(8);
    const labels = { 'webspaces.netsoc.ie/webspace': webspace, 'webspaces.netsoc.ie/uid': 'of-one-that-is-gone' };
    await cluster.create('secret', { metadata: { name: `${webspace}.stray.example`, labels } });
    await sweeps.run();
    expect(await cluster.has('secret', `${webspace}.stray.example`)).toBe(false);
    expect(await cluster.has('secret', 'webspaces-default-tls')).toBe(true);
  }, 30_000);
});

describe('deleting a webspace with custom domains', () => {
  it('leaves no route, no Certificate and no Secret', async () => {
    const { members } = session;
    const member = members.one(9);
    await members.running(member);
    await withDomains(member, ['deleted.example']);
    await certified('deleted.example');
    await members.delete(member);
    expect(await members.leftOf(member)).toEqual([]);
    expect((await visitHost(session.lab, 'deleted.example')).status).toBe(404);
  }, 60_000);
});

interface StatusCondition {
  readonly type: string;
  readonly status: string;
}
type Status = { conditions?: StatusCondition[] } | undefined;
const isReady = ({ type, status }: StatusCondition) => type === 'Ready' && status === 'True';
