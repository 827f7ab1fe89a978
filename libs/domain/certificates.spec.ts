import { describe, expect, test } from '@jest/globals';
import { KINDS, type StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { domainObjectName } from './certificates.js';
import { desiredObjects, labelsOf, webspaceLabels, webspaceSpec } from './desired-objects.js';
import type { Platform } from './platform.js';
import { adopted, type ObservedObjects, planProjection } from './projection.js';
import type { WebspaceRecord } from './record.js';

const NAME = 'ws-u1';
const issuer = { group: 'cert-manager.io', kind: 'ClusterIssuer', name: 'lab' };
const platform = {
  baseDomain: 'ws.example.org',
  entryPoint: 'websecure',
  defaultTlsSecret: 'tls-main',
  certificateIssuer: issuer,
} as Platform;
const record = exampleRecord({ domains: ['a.example', 'b.example'] });
const [OF_A, OF_B] = record.domains.map((domain) => domainObjectName(NAME, domain)) as [string, string];

const stored = (kind: keyof typeof KINDS, object: object): StoredObject => {
  const { metadata, ...rest } = object as { metadata: object };
  const meta = { uid: 'some', resourceVersion: '7', generation: 1, ...metadata };
  return { ...rest, apiVersion: 'x', kind: KINDS[kind].kind, metadata: meta } as unknown as StoredObject;
};

const webspaceOf = (of: WebspaceRecord, marked = false) =>
  stored('webspace', { metadata: { name: NAME, labels: webspaceLabels(NAME, of, marked) }, spec: webspaceSpec(of, platform) });

/** Everything as it is wanted for the record, with Secrets for these domains and Certificates in this state. */
function world(of: WebspaceRecord, certified: readonly string[], ready: 'True' | 'False', on: Platform = platform): ObservedObjects {
  const webspace = webspaceOf(of);
  const objects = desiredObjects(NAME, of, 'container', on, { certified: new Set(certified) }).map((object) => {
    const conditions = [{ type: 'Ready', status: ready, observedGeneration: 1, message: 'Issuing certificate' }];
    return stored(object.kind, { ...adopted(object, webspace), ...(object.kind === 'certificate' ? { status: { conditions } } : {}) });
  });
  const own = Object.fromEntries(
    objects
      .filter(({ metadata }) => metadata.name === NAME)
      .map((object) => [object.kind[0]?.toLowerCase() + object.kind.slice(1), object]),
  );
  const secrets = certified.map((domain) => secretOf(domain));
  return { webspace, ...own, furtherObjects: [...objects.filter(({ metadata }) => metadata.name !== NAME), ...secrets] };
}

const secretOf = (domain: string) =>
  stored('secret', { metadata: { name: domainObjectName(NAME, domain), labels: labelsOf(NAME, record.uid) } });

function planOf(objects: ObservedObjects, of: WebspaceRecord = record, on: Platform = platform) {
  const plan = planProjection(NAME, { is: 'present', record: of, phase: 'running', lastUsedAt: 'then' }, objects, on);
  if (plan.verdict !== 'update') throw new Error(plan.verdict);
  return {
    apply: plan.apply.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    remove: plan.remove.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    routes: Object.fromEntries(
      plan.apply.filter(({ kind }) => kind === 'ingressRoute').map(({ metadata, spec }) => [metadata.name, spec]),
    ) as Record<string, { tls: unknown }>,
    certificates: plan.status?.conditions.find(({ type }) => type === 'Certificates'),
  };
}

describe('a custom domain', () => {
  test('has a Certificate of exactly that name, signed by the issuer, whose Secret can be found again', () => {
    const certificate = desiredObjects(NAME, record, 'container', platform).find(
      ({ metadata: { name }, kind }) => name === OF_A && kind === 'certificate',
    );
    expect(certificate?.['spec']).toEqual({
      dnsNames: ['a.example'],
      secretName: OF_A,
      issuerRef: issuer,
      secretTemplate: { labels: labelsOf(NAME, record.uid) },
    });
  });

  test('is served with the default certificate until its own is ready, and nobody else is touched by that', () => {
    const { apply, remove, certificates } = planOf(world(record, [], 'False'));
    expect([apply, remove]).toEqual([[], []]);
    expect(certificates).toMatchObject({ status: 'False', reason: 'NotReady', message: expect.stringContaining('a.example: Issuing') });
  });

  test('has its route switched when its Certificate is ready and its Secret there', () => {
    const before = world(record, [], 'True');
    expect(planOf(before).apply).toEqual([]);
    const { apply, routes } = planOf({ ...before, furtherObjects: [...(before.furtherObjects ?? []), secretOf('a.example')] });
    expect(apply).toEqual([`ingressRoute ${OF_A}`]);
    expect(routes[OF_A]).toMatchObject({ tls: { secretName: OF_A } });
  });

  test('keeps its certificate while that is renewed, and loses it with its Secret', () => {
    const renewing = world(record, ['a.example', 'b.example'], 'False');
    expect(planOf(renewing).apply).toEqual([]);
    const lost = {
      ...renewing,
      furtherObjects: renewing.furtherObjects?.filter(({ kind, metadata }) => kind !== 'Secret' || metadata.name !== OF_B),
    };
    const { apply, routes } = planOf(lost);
    expect(apply).toEqual([`ingressRoute ${OF_B}`]);
    expect(routes[OF_B]).toMatchObject({ tls: { secretName: 'tls-main' } });
  });

  test('never takes a Secret of a former webspace of that name for its own', () => {
    const foreign = stored('secret', { metadata: { name: OF_A, labels: labelsOf(NAME, 'former') } });
    const objects = world(record, [], 'True');
    expect(planOf({ ...objects, furtherObjects: [...(objects.furtherObjects ?? []), foreign] })).toMatchObject({ apply: [], remove: [] });
  });

  test('takes route, Certificate and Secret with it when it is dropped, and only these', () => {
    const fewer = exampleRecord({ domains: ['b.example'] });
    const { apply, remove } = planOf({ ...world(record, record.domains, 'True'), webspace: webspaceOf(fewer) }, fewer);
    expect(apply).toEqual([]);
    expect(remove.sort()).toEqual([`Certificate ${OF_A}`, `IngressRoute ${OF_A}`, `Secret ${OF_A}`]);
    const none = exampleRecord();
    expect(planOf({ ...world(record, record.domains, 'True'), webspace: webspaceOf(none, true) }, none)).toMatchObject({
      remove: expect.arrayContaining([`Secret ${OF_B}`]),
      certificates: { status: 'True', reason: 'NoCustomDomains' },
    });
  });

  test('needs no Certificate with SNI passthrough, nor without an issuer, and the condition says why', () => {
    const through = exampleRecord({ domains: record.domains, http: { ...record.http, sniPassthrough: true } });
    const { remove, certificates } = planOf({ ...world(record, record.domains, 'True'), webspace: webspaceOf(through) }, through);
    expect(remove).toHaveLength(7);
    expect(certificates).toMatchObject({ status: 'True', reason: 'Passthrough' });
    const without = { ...platform, certificateIssuer: undefined };
    expect(planOf(world(record, [], 'True', without), record, without)).toMatchObject({
      apply: [],
      certificates: { status: 'False', reason: 'NoIssuer' },
    });
  });

  test('of full length gives its objects a name that fits', () => {
    const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(57)}.ie`;
    expect(domainObjectName(NAME, long)).toMatch(/^ws-u1\.[0-9a-f]{40}$/);
    expect(domainObjectName(NAME, 'a.example')).toBe('ws-u1.a.example');
  });
});
