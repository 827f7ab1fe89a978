import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { waitFor } from '#lab/wait.js';
import { type KubernetesDouble, Refusal, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { KubernetesClient } from './client.js';
import { Mirror } from './mirror.js';

const DEADLINE = { timeoutMs: 20_000 };

let double: KubernetesDouble;
let kube: KubernetesClient;
let mirror: Mirror<string>;
let told: string[];
beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  told = [];
  mirror = new Mirror({
    kube,
    kind: 'configMap',
    labelSelector: 'of=test',
    log: pino({ enabled: false }),
    viewOf: ({ data }) => (data as { text: string }).text,
    onView: (name, { before, after }) => told.push(`${name}: ${before} -> ${after}`),
    onChange: () => told.push(mirror.synced ? 'changed' : 'changed before it was read'),
  });
});
afterEach(async () => {
  mirror.stop();
  await double.close();
  await kube.close();
});

const write = (name: string, text: string, labels: Record<string, string> = { of: 'test' }) =>
  kube.apply('configMap', { metadata: { name, labels }, data: { text } });
const holds = (...texts: readonly string[]) =>
  waitFor(`${texts}`, () => mirror.synced && JSON.stringify([...mirror.all()].sort()) === JSON.stringify(texts), DEADLINE);

describe('a mirror', () => {
  test('has what fits the selector, and tells what was and what is', async () => {
    await write('a', 'one');
    await write('stranger', 'no', { of: 'others' });
    expect([mirror.synced, [...mirror.all()]]).toEqual([false, []]);
    mirror.start();
    await holds('one');
    await write('a', 'two');
    await holds('two');
    await kube.delete('configMap', 'a', {});
    await holds();
    expect(mirror.get('a')).toBeUndefined();
    expect(told).toEqual(['a: undefined -> one', 'changed', 'a: one -> two', 'changed', 'a: two -> undefined', 'changed']);
  });

  test('tells of nothing that it was read, too', async () => {
    mirror.start();
    await holds();
    expect(told).toEqual(['changed']);
  });

  test('keeps what it knows while nothing can be read, and is right again after a watch that expired', async () => {
    await write('a', 'one');
    await write('b', 'two');
    mirror.start();
    await holds('one', 'two');
    let refusals = 0;
    double.beforeEach = (request) => {
      if (!request.startsWith('GET')) return;
      refusals++;
      throw new Refusal(503, 'ServiceUnavailable', 'away');
    };
    double.expireWatches();
    await kube.delete('configMap', 'a', {});
    await waitFor('refusals', () => refusals > 1, DEADLINE);
    expect([...mirror.all()]).toEqual(['one', 'two']);
    double.beforeEach = undefined;
    await holds('two');
  });
});
