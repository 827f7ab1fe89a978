import { describe, expect, test } from '@jest/globals';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { addressesOf, byNamespace, peersAmong, selectorOf, serviceOf } from './services.js';

const slice = (endpoints: unknown): StoredObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 's', uid: 'u', resourceVersion: '1' },
  endpoints,
});

describe('Services', () => {
  test('row 63: a name is one of the own namespace, or has its own', () => {
    expect([serviceOf('lxd8s', 'webspaces'), serviceOf('kube-system/traefik', 'webspaces')]).toEqual([
      { namespace: 'webspaces', name: 'lxd8s' },
      { namespace: 'kube-system', name: 'traefik' },
    ]);
  });

  test('are asked for by namespace, each once', () => {
    const names = byNamespace([serviceOf('b', 'x'), serviceOf('a', 'x'), serviceOf('x/b', 'y')]);
    expect([...names.keys()]).toEqual(['x']);
    expect(selectorOf(names.get('x') ?? new Set())).toBe('kubernetes.io/service-name in (a,b)');
  });
});

describe('peers', () => {
  test('are all addresses, ready or not, and no names', () => {
    const endpoints = [
      { addresses: ['10.0.0.2'], conditions: { ready: true } },
      { addresses: ['10.0.0.3'], conditions: { ready: false } },
      { addresses: ['10.0.0.4'], conditions: { ready: false, terminating: true } },
      { addresses: ['web.example.org'] },
      {},
    ];
    expect([...addressesOf(slice(endpoints))]).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    expect([...addressesOf(slice(null))]).toEqual([]);
  });

  test("are of the underlay's family, each once, and never this pod", () => {
    const addresses = ['10.0.0.1', '10.0.0.2', 'fd00::2', '10.0.0.2'];
    expect([...peersAmong(addresses, '10.0.0.1')]).toEqual(['10.0.0.2']);
    expect([...peersAmong(addresses, 'fd00::1')]).toEqual(['fd00::2']);
  });
});
