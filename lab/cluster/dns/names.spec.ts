import { describe, expect, test } from '@jest/globals';
import { clusterNames } from './names.js';

const metadata = (name: string) => ({ name, namespace: 'lxd8s', labels: { 'kubernetes.io/service-name': 'lxd' } });
const headless = { metadata: metadata('lxd'), spec: { clusterIP: 'None' } };
const member = (hostname: string, address: string, ready = true) => ({ hostname, addresses: [address], conditions: { ready } });

describe("names in a cluster's pods", () => {
  test('pods of a headless service have a name each, and the service has all addresses', () => {
    const slice = { metadata: metadata('lxd-abc'), endpoints: [member('lxd-0', '10.61.1.2'), member('lxd-1', '10.61.2.2')] };
    expect(clusterNames([headless], [slice])).toEqual({
      'lxd.lxd8s.svc.cluster.local': { a: ['10.61.1.2', '10.61.2.2'] },
      'lxd-0.lxd.lxd8s.svc.cluster.local': { a: ['10.61.1.2'] },
      'lxd-1.lxd.lxd8s.svc.cluster.local': { a: ['10.61.2.2'] },
    });
  });

  test('a pod that is not ready has none', () => {
    const slice = { metadata: metadata('lxd-abc'), endpoints: [member('lxd-0', '10.61.1.2', false)] };
    expect(clusterNames([headless], [slice])).toEqual({ 'lxd.lxd8s.svc.cluster.local': { a: [] } });
  });

  test('a service that nobody is behind has none, and takes no other its own', () => {
    expect(clusterNames([headless], [{ metadata: metadata('lxd-abc'), endpoints: null }])).toEqual({
      'lxd.lxd8s.svc.cluster.local': { a: [] },
    });
  });

  test('a service with an address has that one only', () => {
    const slice = { metadata: metadata('lxd-abc'), endpoints: [{ addresses: ['10.61.1.2'] }] };
    expect(clusterNames([{ metadata: metadata('lxd'), spec: { clusterIP: '10.96.3.4' } }], [slice])).toEqual({
      'lxd.lxd8s.svc.cluster.local': { a: ['10.96.3.4'] },
    });
  });
});
