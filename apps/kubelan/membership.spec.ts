import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { waitFor } from '#lab/wait.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { Membership } from './membership.js';
import { SERVICE_LABEL, serviceOf } from './services.js';

const DEADLINE = { timeoutMs: 20_000 };

let double: KubernetesDouble;
let kube: KubernetesClient;
let membership: Membership;
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
});
afterEach(async () => {
  membership.stop();
  await double.close();
  await kube.close();
});

function start(...services: readonly string[]): void {
  const refs = services.map((text) => serviceOf(text, 'webspaces'));
  membership = new Membership({ kube, services: refs, log: pino({ enabled: false }), onChange: () => undefined });
  membership.start();
}
const slice = (name: string, service: string, ...addresses: readonly string[]) => ({
  metadata: { name, labels: { [SERVICE_LABEL]: service } },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address] })),
});
const read = () => waitFor('every namespace', () => membership.unread.size === 0, DEADLINE);
const addressesOf = (service: string) => [...(membership.addresses().get(service) ?? [])].sort();
const has = (service: string, ...addresses: readonly string[]) =>
  waitFor(`${service} to be ${addresses}`, () => JSON.stringify(addressesOf(service)) === JSON.stringify(addresses), DEADLINE);

describe('who is behind the Services', () => {
  test('is read from all of their slices, in their namespaces, of them only', async () => {
    await kube.create('endpointSlice', slice('a-1', 'a', '10.0.0.1'));
    await kube.create('endpointSlice', slice('a-2', 'a', '10.0.0.2'));
    await kube.create('endpointSlice', slice('stranger', 'stranger', '10.0.0.3'));
    await kube.in('other').create('endpointSlice', slice('a-1', 'b', '10.0.0.4'));
    start('a', 'other/b', 'nobody');
    expect(membership.unread).toEqual(new Set(['webspaces', 'other']));
    await read();
    expect([...membership.addresses()]).toEqual([
      ['webspaces/a', new Set(['10.0.0.1', '10.0.0.2'])],
      ['other/b', new Set(['10.0.0.4'])],
      ['webspaces/nobody', new Set()],
    ]);
    expect([membership.has('webspaces/a'), membership.has('webspaces/nobody')]).toEqual([true, false]);
    expect(double.requests.filter((line) => !/\/namespaces\/(webspaces|other)\/endpointslices/.test(line))).toEqual([]);
  });

  test('follows a Service that is made later, and one that goes', async () => {
    start('late');
    await read();
    await kube.create('endpointSlice', slice('late-1', 'late', '10.0.0.1'));
    await has('webspaces/late', '10.0.0.1');
    await kube.apply('endpointSlice', slice('late-1', 'late', '10.0.0.2'));
    await has('webspaces/late', '10.0.0.2');
    await kube.delete('endpointSlice', 'late-1', {});
    await has('webspaces/late');
  });

  test('stays as it was while the API server is away, and is right again after a watch that expired', async () => {
    await kube.create('endpointSlice', slice('a-1', 'a', '10.0.0.1'));
    await kube.create('endpointSlice', slice('a-2', 'a', '10.0.0.2'));
    let away: Refusal | undefined = new Refusal(410, 'Expired', 'too old resource version');
    let refusals = 0;
    double.beforeEach = (request) => {
      if (!away || !request.includes('watch=true')) return;
      refusals++;
      throw away;
    };
    start('a');
    await has('webspaces/a', '10.0.0.1', '10.0.0.2');
    await waitFor('refusals', () => refusals > 1, DEADLINE);
    away = undefined;
    await kube.delete('endpointSlice', 'a-1', {});
    await has('webspaces/a', '10.0.0.2');
  });

  test('one namespace that may not be read holds up no other', async () => {
    await kube.create('endpointSlice', slice('a-1', 'a', '10.0.0.1'));
    double.beforeEach = (request) => {
      if (request.includes('/namespaces/forbidden/')) throw new Refusal(403, 'Forbidden', 'no');
    };
    start('a', 'forbidden/b');
    await has('webspaces/a', '10.0.0.1');
    expect(membership.unread).toEqual(new Set(['forbidden']));
  });
});
