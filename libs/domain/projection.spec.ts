import { describe, expect, test } from '@jest/globals';
import { KINDS, type StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type DesiredObject, desiredObjects, labelsOf, type RouteTarget, webspaceLabels, webspaceSpec } from './desired-objects.js';
import type { Platform } from './platform.js';
import { adopted, type ObservedInstance, type ObservedObjects, planProjection } from './projection.js';
import type { WebspaceRecord } from './record.js';

const NAME = 'ws-u1';
const platform: Platform = {
  baseDomain: 'ws.example.org',
  instancePrefix: 'ws-',
  profiles: ['default'],
  network: 'lxdbr0',
  nic: { isolation: 'strict' },
  addressRange: { from: '10.77.128.0', to: '10.77.255.254' },
  entryPoint: 'websecure',
  defaultTlsSecret: 'tls-main',
  defaults: { httpPort: 80, startupDelaySeconds: 3 },
  forwarding: { serviceType: 'LoadBalancer', annotations: {} },
  portRange: { from: 49152, to: 65535 },
  limits: { startupDelaySeconds: 60, portForwards: 64, domains: 32 },
  addressRestSeconds: 600,
};

const ISSUER = { group: 'cert-manager.io', kind: 'ClusterIssuer', name: 'lab' };

const matchOf = (spec: unknown) => (spec as { routes: { match: string }[] }).routes[0]?.match;
const tlsOf = (spec: unknown) => (spec as { tls: object }).tls;

function stored(object: Record<string, unknown> & { metadata: object }, kind: string): StoredObject {
  return {
    apiVersion: 'x',
    ...object,
    kind,
    metadata: { ...object.metadata, name: NAME, uid: `uid-of-${kind}`, resourceVersion: '7' },
  } as StoredObject;
}

function webspaceOf(record: WebspaceRecord, phase = 'running'): StoredObject {
  const condition = { type: 'Synced', status: 'True', reason: 'InStep', message: 'Objects say what LXD says.', lastTransitionTime: 'then' };
  const status = { phase, lastUsed: 'then', conditions: [condition] };
  return stored({ metadata: { labels: labelsOf(NAME, record.uid) }, spec: webspaceSpec(record, platform), status }, 'Webspace');
}

function objectsOf(record: WebspaceRecord, target: RouteTarget): ObservedObjects {
  const webspace = webspaceOf(record, target === 'container' ? 'running' : 'stopped');
  const objects = desiredObjects(NAME, record, target, platform).map((object) => adopted(object, webspace));
  return {
    webspace,
    ...Object.fromEntries(
      objects.map((object: DesiredObject) => [
        object.kind,
        stored({ ...object, status: { set: 'by the server' } }, KINDS[object.kind].kind),
      ]),
    ),
  };
}

const present = (record: WebspaceRecord, phase: 'running' | 'stopped' | 'paused' | 'unknown'): ObservedInstance => ({
  is: 'present',
  record,
  phase,
  lastUsedAt: 'then',
});
const plan = (instance: ObservedInstance, objects: ObservedObjects) => planProjection(NAME, instance, objects, platform);

describe('the plan of a projection', () => {
  const record = exampleRecord();

  test('is nothing when every object says what LXD says, whatever the server added', () => {
    expect(plan(present(record, 'running'), objectsOf(record, 'container'))).toEqual({ verdict: 'nothing' });
    expect(plan(present(record, 'stopped'), objectsOf(record, 'gateway'))).toEqual({ verdict: 'nothing' });
  });

  test.each([
    ['stopped', 'container', 'webspaces-gateway'],
    ['paused', 'container', 'webspaces-gateway'],
    ['running', 'gateway', NAME],
  ] as const)('of a %s container touches only the route, which then names %s', (phase, target, service) => {
    const result = plan(present(record, phase), objectsOf(record, target));
    expect(result).toMatchObject({ verdict: 'update', status: { phase }, remove: [] });
    if (result.verdict !== 'update') throw new Error(result.verdict);
    expect(result.apply.map(({ kind }) => kind)).toEqual(['ingressRoute']);
    expect(result.apply[0]).toMatchObject({ spec: { routes: [{ services: [{ name: service }] }] } });
  });

  test('of a suspended webspace leads to the gateway also while its container runs, says why, and says when it is over', () => {
    const suspended = { since: '2026-11-23T12:00:00.000Z', reason: 'expired', by: 'account-policy' } as const;
    const off = exampleRecord({ policy: { alwaysOn: false, suspended } });
    const objects = objectsOf(record, 'container');
    const result = plan(present(off, 'running'), objects);
    expect(result).toMatchObject({
      verdict: 'update',
      status: { phase: 'running', conditions: [{ type: 'Synced' }, { type: 'Suspended', status: 'True', reason: 'MembershipEnded' }] },
      apply: [{ kind: 'ingressRoute', spec: { routes: [{ services: [{ name: 'webspaces-gateway' }] }] } }],
    });
    if (result.verdict !== 'update') throw new Error(result.verdict);
    const conditions = (result.status?.conditions ?? []).map((condition) => ({ ...condition, lastTransitionTime: 'then' }));
    const told = { ...objects.webspace, status: { phase: 'running', lastUsed: 'then', conditions } } as unknown as StoredObject;
    expect(plan(present(record, 'running'), { ...objects, webspace: told })).toMatchObject({
      verdict: 'update',
      apply: [],
      status: { conditions: [{ type: 'Synced' }, { type: 'Suspended', status: 'False' }] },
    });
  });

  test('changes nothing but the condition when LXD does not tell', () => {
    const unknown: ObservedInstance = { is: 'unknown', reason: 'LxdUnavailable', message: 'no answer' };
    for (const instance of [unknown, present(record, 'unknown')]) {
      const result = plan(instance, objectsOf(record, 'container'));
      expect(result).toMatchObject({ verdict: 'unknown', status: { phase: 'unknown', conditions: [{ status: 'False' }] } });
      expect(Object.keys(result).sort()).toEqual(['status', 'verdict']);
    }
  });

  test('repairs an object that was changed by hand, also one with something added to a list', () => {
    const objects = objectsOf(record, 'container');
    const route = structuredClone(objects.ingressRoute) as unknown as { spec: { routes: unknown[] } };
    route.spec.routes.push({ match: 'Host(`evil`)' });
    const result = plan(present(record, 'running'), { ...objects, ingressRoute: route as unknown as StoredObject });
    expect(result).toMatchObject({ verdict: 'update', apply: [{ kind: 'ingressRoute' }] });
  });

  test('makes a missing object again', () => {
    expect(plan(present(record, 'running'), { ...objectsOf(record, 'container'), service: undefined })).toMatchObject({
      verdict: 'update',
      apply: [{ kind: 'service' }],
    });
  });

  test('asks for a restore when there is no Webspace, or one of another uid, which is never taken for this one', () => {
    expect(plan(present(record, 'running'), {})).toEqual({ verdict: 'restore', stale: undefined });
    const other = objectsOf(exampleRecord({ uid: 'another' }), 'container');
    expect(plan(present(record, 'running'), other)).toMatchObject({ verdict: 'restore', stale: { kind: 'Webspace' } });
  });

  test('calls a Webspace without instance an orphan of its uid', () => {
    expect(plan({ is: 'absent' }, objectsOf(record, 'gateway'))).toMatchObject({ verdict: 'orphan', uid: record.uid });
    expect(plan({ is: 'absent' }, {})).toEqual({ verdict: 'nothing' });
  });

  test('swaps the kind of route with SNI passthrough, and removes the other one', () => {
    const passthrough = exampleRecord({ http: { port: 8443, startupDelaySeconds: 3, sniPassthrough: true } });
    const before = objectsOf(record, 'container');
    const result = plan(present(passthrough, 'running'), { ...before, webspace: webspaceOf(passthrough) });
    expect(result).toMatchObject({ verdict: 'update', remove: [{ kind: 'IngressRoute' }] });
    if (result.verdict !== 'update') throw new Error(result.verdict);
    expect(result.apply.find(({ kind }) => kind === 'ingressRouteTcp')).toMatchObject({
      spec: { routes: [{ match: 'HostSNI(`alice.ws.example.org`)', services: [{ name: NAME }] }], tls: { passthrough: true } },
    });
  });
});

describe('desired objects', () => {
  test('say explicitly that the endpoint is ready, and hold the address also while the container is off', () => {
    const [, slice] = desiredObjects(NAME, exampleRecord(), 'gateway', platform);
    expect(slice).toMatchObject({ kind: 'endpointSlice', endpoints: [{ addresses: ['10.77.128.5'], conditions: { ready: true } }] });
  });

  test('give every host a route of its own, the default one under the name of the webspace', () => {
    const [, , ...routes] = desiredObjects(NAME, exampleRecord({ domains: ['a.example', 'b.example'] }), 'container', platform);
    expect(routes.map(({ metadata, spec }) => [metadata.name, matchOf(spec), tlsOf(spec)])).toEqual([
      [NAME, 'Host(`alice.ws.example.org`)', { secretName: 'tls-main' }],
      [`${NAME}.a.example`, 'Host(`a.example`)', { secretName: 'tls-main' }],
      [`${NAME}.b.example`, 'Host(`b.example`)', { secretName: 'tls-main' }],
    ]);
  });

  test('name every host in one route with SNI passthrough, and no Certificate', () => {
    const record = exampleRecord({ domains: ['a.example'], http: { port: 8443, startupDelaySeconds: 3, sniPassthrough: true } });
    const [, , route, ...more] = desiredObjects(NAME, record, 'container', { ...platform, certificateIssuer: ISSUER });
    expect(route).toMatchObject({
      kind: 'ingressRouteTcp',
      spec: { routes: [{ match: 'HostSNI(`alice.ws.example.org`) || HostSNI(`a.example`)' }] },
    });
    expect(more).toEqual([]);
  });

  test('publish nothing of what another webspace holds: a host, the address, every host', () => {
    const record = exampleRecord({ domains: ['a.example', 'b.example'] });
    const issuing = { ...platform, certificateIssuer: ISSUER };
    const namesWithout = (...withheld: string[]) =>
      desiredObjects(NAME, record, 'container', issuing, { withheld }).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(namesWithout('domain/a.example').slice(2)).toEqual([
      `ingressRoute ${NAME}`,
      `ingressRoute ${NAME}.b.example`,
      `certificate ${NAME}.b.example`,
    ]);
    for (const route of desiredObjects(NAME, record, 'container', platform, { withheld: ['address/10-77-128-5'] }).slice(2)) {
      expect(route).toMatchObject({ spec: { routes: [{ services: [{ name: 'webspaces-gateway' }] }] } });
    }
    expect(namesWithout('domain/alice.ws.example.org', 'domain/a.example', 'domain/b.example')).toEqual([
      `service ${NAME}`,
      `endpointSlice ${NAME}`,
    ]);
  });
});

describe('what another webspace holds', () => {
  const record = exampleRecord({ domains: ['a.example'] });
  const withheld = ['domain/a.example'];
  const webspace = (status?: object) =>
    stored({ metadata: { labels: webspaceLabels(NAME, record) }, spec: webspaceSpec(record, platform, withheld), ...status }, 'Webspace');

  test('is said in the condition', () => {
    expect(plan(present(record, 'running'), { webspace: webspace() })).toMatchObject({
      verdict: 'update',
      status: {
        phase: 'running',
        conditions: [
          { status: 'False', reason: 'HeldByAnother', message: expect.stringContaining('a.example') },
          { type: 'Certificates', reason: 'NoCustomDomains' },
        ],
      },
    });
  });

  test('asks for a restore when the record does not name it any more', () => {
    expect(plan(present(exampleRecord(), 'running'), { webspace: webspace() })).toMatchObject({ verdict: 'restore' });
  });
});
