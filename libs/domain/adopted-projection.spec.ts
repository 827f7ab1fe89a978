import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type DesiredObject, desiredObjects, labelsOf, webspaceSpec } from './desired-objects.js';
import type { Platform } from './platform.js';
import { type ObservedInstance, planProjection } from './projection.js';
import type { WebspaceRecord } from './record.js';

const NAME = 'ws-u1';
const platform = { baseDomain: 'ws.example.org', entryPoint: 'websecure' } as Platform;
const DHCP: WebspaceRecord = { ...exampleRecord(), network: {} };
const NAMELESS: WebspaceRecord = { ...DHCP, owner: { id: '1' }, domains: ['blog.example.com'] };

const present = (record: WebspaceRecord, phase: 'running' | 'stopped', reportedAddress?: string): ObservedInstance => ({
  is: 'present',
  record,
  phase,
  lastUsedAt: 'then',
  ...(reportedAddress === undefined ? {} : { reportedAddress }),
});

function webspaceOf(record: WebspaceRecord): StoredObject {
  const metadata = { name: NAME, uid: 'uid-of-it', resourceVersion: '7', labels: labelsOf(NAME, record.uid) };
  return { apiVersion: 'x', kind: 'Webspace', metadata, spec: webspaceSpec(record, platform) };
}

function part<T>(objects: readonly DesiredObject[], kind: DesiredObject['kind'], read: (object: DesiredObject) => T): T {
  return read(objects.find((object) => object.kind === kind) as DesiredObject);
}
const endpointsOf = (objects: readonly DesiredObject[]) => part(objects, 'endpointSlice', (object) => object['endpoints']);
const backendOf = (objects: readonly DesiredObject[]) =>
  part(objects, 'ingressRoute', (object) => (object['spec'] as { routes: [{ services: [{ name: string }] }] }).routes[0].services[0].name);

describe('a webspace that still uses DHCP', () => {
  test('is published at the address that LXD reports', () => {
    const objects = desiredObjects(NAME, DHCP, 'container', platform, { reportedAddress: '10.77.0.9' });
    expect(endpointsOf(objects)).toEqual([{ addresses: ['10.77.0.9'], conditions: { ready: true } }]);
    expect(backendOf(objects)).toBe(NAME);
  });

  test('is led to the gateway while LXD reports none', () => {
    const objects = desiredObjects(NAME, DHCP, 'container', platform);
    expect(endpointsOf(objects)).toEqual([]);
    expect(backendOf(objects)).toBe('webspaces-gateway');
  });

  test('has the address of its record once there is one, whatever LXD reports', () => {
    const objects = desiredObjects(NAME, exampleRecord(), 'container', platform, { reportedAddress: '10.77.0.9' });
    expect(endpointsOf(objects)).toEqual([{ addresses: ['10.77.128.5'], conditions: { ready: true } }]);
  });

  test('shows no address of its own', () => {
    expect(webspaceSpec(DHCP, platform)).not.toHaveProperty('address');
  });
});

describe('a webspace whose owner nobody knows', () => {
  test('is restored once, so that it can be seen and holds its claims', () => {
    expect(planProjection(NAME, present(NAMELESS, 'running', '10.77.0.9'), {}, platform)).toMatchObject({ verdict: 'restore' });
    expect(webspaceSpec(NAMELESS, platform)).toMatchObject({ owner: { id: '1' }, hosts: ['blog.example.com'] });
  });

  test('says so, and its routes stay as they are, also those by a user name that was known once', () => {
    const named = webspaceOf({ ...NAMELESS, owner: { id: '1', username: 'alice' } });
    expect(planProjection(NAME, present(NAMELESS, 'stopped'), { webspace: named }, platform)).toMatchObject({
      verdict: 'unknown',
      status: { phase: 'stopped', conditions: [{ type: 'Synced', status: 'False', reason: 'OwnerUnknown' }] },
    });
  });

  test('says it once', () => {
    const webspace = webspaceOf(NAMELESS);
    const plan = planProjection(NAME, present(NAMELESS, 'stopped'), { webspace }, platform);
    if (plan.verdict !== 'unknown' || !plan.status) throw new Error('no status');
    const { phase, lastUsed, conditions } = plan.status;
    const told = {
      ...webspace,
      status: { phase, lastUsed, conditions: conditions.map((condition) => ({ ...condition, lastTransitionTime: 'then' })) },
    };
    expect(planProjection(NAME, present(NAMELESS, 'stopped'), { webspace: told }, platform)).toEqual({ verdict: 'nothing' });
  });

  test('is published wholly as soon as the name is known', () => {
    const webspace = webspaceOf(NAMELESS);
    const known = { ...NAMELESS, owner: { id: '1', username: 'alice' } };
    expect(planProjection(NAME, present(known, 'running', '10.77.0.9'), { webspace }, platform)).toMatchObject({ verdict: 'restore' });
  });
});
