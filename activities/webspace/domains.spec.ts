import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DnsNames } from '#lab/dns/answers.js';
import { type DnsServer, startDnsServer } from '#lab/dns/server.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { TxtResolver } from '#libs/dns/txt-resolver.js';
import { domainClaim } from '#libs/domain/claims.js';
import type { Platform } from '#libs/domain/platform.js';
import type { Condition } from '#libs/domain/projection.js';
import { serialiseRecord } from '#libs/domain/record.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { Claims } from '../kubernetes/claims.js';
import { Locks } from '../kubernetes/lock.js';
import { Projection } from '../kubernetes/projection.js';
import type { Call } from '../shared/guard.js';
import type { WorkflowRuns } from '../shared/workflow-runs.js';
import { domainSteps } from './domains.js';
import { Installation } from './installation.js';
import { Observer } from './observe.js';
import { Owners } from './owners.js';

const HOST = 'shop.example.com';
const RIGHT = { txt: ['webspace:id:1'] };
const call: Call = {
  signal: new AbortController().signal,
  me: { workflowId: 'w', runId: 'r' },
  attempt: 1,
  sinceMs: () => 0,
  waiting: () => undefined,
};

let folder: string;
let dns: DnsServer;
let kubeDouble: KubernetesDouble;
let lxdDouble: LxdDouble;
let kube: KubernetesClient;
let lxd: LxdClient;
let claims: Claims;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'domains-'));
  dns = await startDnsServer({ host: '127.0.0.1', port: 0, namesFile: join(folder, 'names.json') }, () => undefined);
  [kubeDouble, lxdDouble] = await Promise.all([startKubernetesDouble(), startLxdDouble()]);
  kube = new KubernetesClient({ kubeconfig: kubeDouble.kubeconfig, namespace: 'webspaces' });
  lxd = createLxdClient({ socket: lxdDouble.socket });
  claims = new Claims(kube, { addressRestSeconds: 600 });
});

afterEach(async () => {
  dns.close();
  await Promise.all([kube.close(), lxd.close()]);
  await Promise.all([kubeDouble.close(), lxdDouble.close()]);
  rmSync(folder, { recursive: true });
});

const say = (names: DnsNames) => writeFileSync(join(folder, 'names.json'), JSON.stringify(names));
const refusals: string[] = [];

function steps(domainGraceSeconds: number) {
  const projection = new Projection(kube, { baseDomain: 'ws.example.org' } as Platform);
  refusals.length = 0;
  return domainSteps({
    txt: new TxtResolver({ resolvers: [`127.0.0.1:${dns.port}`], timeoutMs: 1_000, tries: 1 }),
    domainGraceSeconds,
    lxd,
    kube,
    projection,
    observer: new Observer(lxd, new Locks(kube, {} as WorkflowRuns), projection, new Owners(undefined, { warn: () => undefined })),
    installation: new Installation(kube, lxd),
    metrics: { refused: (reason) => refusals.push(reason), unreadable: () => undefined, domains: () => undefined },
  });
}

/** A webspace with custom domains and their claims. */
async function webspace(id: string, ...domains: string[]): Promise<void> {
  const name = `ws-u${id}`;
  const record = exampleRecord({ uid: `uid-${id}`, owner: { id, username: `user${id}` }, domains });
  lxdDouble.addInstance(name, { config: { [RECORD_KEY]: serialiseRecord(record) } });
  for (const domain of domains) {
    await claims.ensure(domainClaim(domain), { name, uid: record.uid, operationId: 'op' }, async () => false, call.signal);
  }
  await kube.create('webspace', { metadata: { name }, spec: {} });
  await kube.apply('webspace', { metadata: { name }, status: { phase: 'running', conditions: [] } }, { subresource: 'status' });
}

async function unproved(host = HOST): Promise<{ since: string; reason: string } | undefined> {
  return ((await kube.get('domain', host))['status'] as { unproved?: { since: string; reason: string } } | undefined)?.unproved;
}

async function condition(name = 'ws-u1'): Promise<Condition | undefined> {
  const { phase, conditions } = (await kube.get('webspace', name))['status'] as { phase: string; conditions?: Condition[] };
  expect(phase).toBe('running');
  return conditions?.find(({ type }) => type === 'DomainsProved');
}

describe('the proof before a domain is claimed', () => {
  test('is the TXT record of the owner whom the record names', async () => {
    await webspace('1');
    say({ [HOST]: RIGHT, 'other.example.com': { txt: ['webspace:id:2'] } });
    await steps(60).proveDomains(call, 'ws-u1', [HOST]);
    await expect(steps(60).proveDomains(call, 'ws-u1', [HOST, 'other.example.com'])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { field: 'domain', legacyMessage: 'verification failed' },
      message: expect.stringContaining('other.example.com'),
    });
  });

  test('is not asked for a webspace that is not there', async () => {
    await expect(steps(60).proveDomains(call, 'ws-u9', [HOST])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a round over all custom domains', () => {
  test('writes nothing while all are proved', async () => {
    await webspace('1', HOST);
    say({ [HOST]: RIGHT });
    kubeDouble.requests.length = 0;
    expect(await steps(60).checkDomains(call)).toEqual({ proved: 1, refuted: 0, unanswered: 0, toRelease: [], refusals: [] });
    expect(kubeDouble.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test('notes since when a proof is missing, on the claim and on the webspace, and clears it when it is back', async () => {
    await webspace('1', HOST);
    say({});
    expect(await steps(60).checkDomains(call)).toMatchObject({ refuted: 1, toRelease: [] });
    const first = await unproved();
    expect(first).toMatchObject({ reason: 'NoSuchName' });
    expect(await condition()).toMatchObject({
      status: 'False',
      reason: 'ProofMissing',
      message: expect.stringContaining(`${HOST} is released at `),
    });

    say({ [HOST]: { txt: ['something else'] } });
    await steps(60).checkDomains(call);
    expect(await unproved()).toEqual({ since: first?.since, reason: 'WrongTxtRecord', message: expect.any(String) });

    say({ [HOST]: RIGHT });
    expect(await steps(60).checkDomains(call)).toMatchObject({ proved: 1 });
    expect(await unproved()).toBeUndefined();
    expect(await condition()).toMatchObject({ status: 'True', reason: 'Proved' });
  });

  test('releases after the grace time, and not before', async () => {
    await webspace('1', HOST, 'kept.example.com');
    say({ 'kept.example.com': RIGHT });
    expect(await steps(60).checkDomains(call)).toMatchObject({ toRelease: [] });
    expect(await steps(0).checkDomains(call)).toMatchObject({ toRelease: [{ name: 'ws-u1', domains: [HOST] }] });
  });

  test.each(['SERVFAIL', 'REFUSED', 'silence'] as const)(
    'takes %s for unknown: nothing begins, and what began does not end',
    async (fails) => {
      await webspace('1', HOST);
      say({ [HOST]: { fails } });
      expect(await steps(0).checkDomains(call)).toMatchObject({ unanswered: 1, toRelease: [] });
      expect(await unproved()).toBeUndefined();
      expect(await condition()).toBeUndefined();

      say({});
      await steps(60).checkDomains(call);
      const since = (await unproved())?.since;
      say({ [HOST]: { fails } });
      expect(await steps(0).checkDomains(call)).toMatchObject({ unanswered: 1, toRelease: [] });
      expect((await unproved())?.since).toBe(since);
    },
  );

  test('begins the grace time anew when the claim was lost and made again', async () => {
    await webspace('1', HOST);
    say({});
    await steps(60).checkDomains(call);
    const { uid, resourceVersion } = (await kube.get('domain', HOST)).metadata;
    await kube.delete('domain', HOST, { uid, resourceVersion });
    await claims.ensure(domainClaim(HOST), { name: 'ws-u1', uid: 'uid-1', operationId: 'op' }, async () => false, call.signal);
    expect(await unproved()).toBeUndefined();
    expect(await steps(60).checkDomains(call)).toMatchObject({ refuted: 1, toRelease: [] });
  });

  test('asks for no default host name, no claim without its record, and no webspace that is being deleted', async () => {
    await webspace('1');
    const claimant = { name: 'ws-u1', uid: 'uid-1', operationId: 'op' };
    await claims.ensure(domainClaim('user1.ws.example.org'), claimant, async () => false, call.signal);
    await claims.ensure(domainClaim('begun.example.com'), claimant, async () => false, call.signal);
    await claims.ensure(domainClaim('gone.example.com'), { ...claimant, name: 'ws-u7' }, async () => false, call.signal);
    await webspace('2', HOST);
    const deleted = exampleRecord({ uid: 'uid-2', domains: [HOST], deletedBy: 'op' });
    lxdDouble.removeInstance('ws-u2');
    lxdDouble.addInstance('ws-u2', { config: { [RECORD_KEY]: serialiseRecord(deleted) } });
    say({});
    expect(await steps(0).checkDomains(call)).toEqual({ proved: 0, refuted: 0, unanswered: 0, toRelease: [], refusals: [] });
  });

  test('releases nothing when LXD cannot be read', async () => {
    await webspace('1', HOST);
    say({});
    lxdDouble.faults.answer(500, 'database is locked', {});
    await expect(steps(0).checkDomains(call)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('releases no more than five at once until an admin says so: rather the resolvers are wrong', async () => {
    const domains = Array.from({ length: 6 }, (_, i) => `d${i}.example.com`);
    await webspace('1', ...domains);
    say({});
    const { toRelease, refusals: why } = await steps(0).checkDomains(call);
    expect(toRelease).toEqual([]);
    expect(why[0]).toContain('--from-literal=upTo=6');
    expect(refusals).toEqual(['TooManyReleases']);

    await kube.create('configMap', { metadata: { name: 'sweep-removals-approved' }, data: { upTo: '6' } });
    expect(await steps(0).checkDomains(call)).toMatchObject({ toRelease: [{ name: 'ws-u1', domains }] });
  });
});

describe('the last question before a release', () => {
  test('keeps what is proved again, what DNS does not tell of, and what the record no longer names', async () => {
    await webspace('1', HOST, 'back.example.com', 'silent.example.com');
    say({ 'back.example.com': RIGHT, 'silent.example.com': { fails: 'SERVFAIL' } });
    const asked = [HOST, 'back.example.com', 'silent.example.com', 'removed.example.com'];
    expect(await steps(0).stillUnproved(call, 'ws-u1', asked)).toEqual([HOST]);
  });
});
