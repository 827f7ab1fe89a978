import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { addressCandidates } from '#libs/domain/addresses.js';
import { addressClaim, domainClaim } from '#libs/domain/claims.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { type Claimant, Claims, claimSpec } from './claims.js';

const HOST = domainClaim('alice.ws.localhost');
const RANGE = { from: '10.0.0.1', to: '10.0.0.3' };
const claimant = (name: string, uid = `uid-of-${name}`): Claimant => ({ name, uid, operationId: 'op' });
const never = async () => false;
const signal = new AbortController().signal;

let double: KubernetesDouble;
let kube: KubernetesClient;
let claims: Claims;

beforeEach(async () => {
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  claims = new Claims(kube, { addressRestSeconds: 600 });
});

afterEach(async () => {
  await kube.close();
  await double.close();
});

const holderOf = async (name: string) => claimSpec(await kube.get('domain', name)).uid;

describe('a claim', () => {
  test('is of exactly one of those who want it at once', async () => {
    const wanted = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => claims.ensure(HOST, claimant(name), never, signal)));
    expect(wanted.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = ['a', 'b', 'c', 'd'][wanted.findIndex(({ status }) => status === 'fulfilled')] as string;
    expect(await holderOf(HOST.name)).toBe(`uid-of-${winner}`);
    for (const loser of wanted) {
      if (loser.status === 'rejected')
        expect(loser.reason).toMatchObject({ code: 'CONFLICT', details: { reason: 'claimed', heldBy: winner } });
    }
  });

  test('is adopted by a retry of the same webspace, and not touched', async () => {
    await claims.ensure(HOST, claimant('a'), never, signal);
    const { resourceVersion } = (await kube.get('domain', HOST.name)).metadata;
    await claims.ensure(HOST, claimant('a'), never, signal);
    expect((await kube.get('domain', HOST.name)).metadata.resourceVersion).toBe(resourceVersion);
  });

  test('that a former creation of the same name left behind is another uid: only who may take it does', async () => {
    await claims.ensure(HOST, claimant('a', 'old'), never, signal);
    await expect(claims.ensure(HOST, claimant('a', 'new'), never, signal)).rejects.toMatchObject({ code: 'CONFLICT' });
    await claims.ensure(HOST, claimant('a', 'new'), async ({ spec }) => spec.webspace === 'a', signal);
    expect(await holderOf(HOST.name)).toBe('new');
  });

  test('that changes hands between look and removal is not taken from the new holder', async () => {
    await claims.ensure(HOST, claimant('a'), never, signal);
    const old = await kube.get('domain', HOST.name);
    const takesMeanwhile = async () => {
      await kube.delete('domain', HOST.name, { uid: old.metadata.uid });
      await claims.ensure(HOST, claimant('b'), never, signal);
      return true;
    };
    await expect(claims.ensure(HOST, claimant('c'), takesMeanwhile, signal)).rejects.toMatchObject({ code: 'STALE' });
    expect(await holderOf(HOST.name)).toBe('uid-of-b');
  });
});

describe('an address', () => {
  test('is the first free one, another for each, until there is none', async () => {
    const given = await Promise.all(['a', 'b', 'c'].map((name) => claims.ensureAddress(RANGE, claimant(name), { retry: false, signal })));
    expect([...given].sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    await expect(claims.ensureAddress(RANGE, claimant('d'), { retry: false, signal })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('that a former attempt claimed is found again, also when a better one has become free', async () => {
    const [first, second] = [...addressCandidates(RANGE, 'uid-of-a')] as [string, string];
    await claims.ensure(addressClaim(first), claimant('b'), never, signal);
    expect(await claims.ensureAddress(RANGE, claimant('a'), { retry: false, signal })).toBe(second);
    await kube.delete('address', addressClaim(first).name, {});
    expect(await claims.ensureAddress(RANGE, claimant('a'), { retry: true, signal })).toBe(second);
  });

  test('rests when it is released: nobody has it, nobody gets it, and it goes when its time is over', async () => {
    const address = await claims.ensureAddress(RANGE, claimant('a'), { retry: false, signal });
    const [{ kind, object } = { kind: 'address' as const, object: undefined }] = await claims.of('uid-of-a', signal);
    if (!object) throw new Error('no claim of a');
    await claims.release(kind, object, signal);
    expect(await claims.of('uid-of-a', signal)).toEqual([]);
    const resting = await kube.get('address', addressClaim(address).name);
    expect(claimSpec(resting)).toEqual({ address, until: expect.any(String) });
    await expect(claims.ensure(addressClaim(address), claimant('b'), never, signal)).rejects.toMatchObject({
      details: { heldBy: expect.stringContaining('it rests until') },
    });
    expect(await claims.endRest(resting, signal)).toBe(false);
    const over = await kube.replace('address', { ...resting, spec: { address, until: '2020-01-01T00:00:00Z' } });
    expect(await claims.endRest(over, signal)).toBe(true);
    expect(await claims.all(signal)).toEqual([]);
  });

  test('that was written since it was read is not released', async () => {
    await claims.ensure(HOST, claimant('a'), never, signal);
    const read = await kube.get('domain', HOST.name);
    await kube.replace('domain', { ...read, spec: { ...(read['spec'] as object), webspace: 'changed' } });
    await expect(claims.release('domain', read, signal)).rejects.toMatchObject({ code: 'STALE' });
  });
});

describe('ports of any number', () => {
  const PORTS = { from: 50_000, to: 50_019 };
  const any = (count: number, internal = 80) => Array.from({ length: count }, () => ({ protocol: 'tcp' as const, internal }));
  const numbers = (ports: readonly { readonly external: number }[]) => ports.map(({ external }) => external).sort();

  test('are all different, also of what the same operation forwards by number and of what others hold', async () => {
    const fixed = [{ protocol: 'tcp' as const, external: 50_003, internal: 1 }];
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => claims.ensureAnyPorts(PORTS, any(9), { seed: 'same', fixed }, claimant(name), signal)),
    );
    const all = numbers([...(a ?? []), ...(b ?? [])]);
    expect(new Set(all).size).toBe(18);
    expect(all).not.toContain(50_003);
  });

  test('are found again by a retry, and corrected when each stands for another one now', async () => {
    const first = await claims.ensureAnyPorts(PORTS, any(9), { seed: 'seed' }, claimant('a'), signal);
    const again = await claims.ensureAnyPorts(PORTS, any(9, 22), { seed: 'seed' }, claimant('a'), signal);
    expect(numbers(again)).toEqual(numbers(first));
    const objects = await kube.list('portForward');
    expect(objects.map((object) => (object['spec'] as { internal: number }).internal)).toEqual(Array.from({ length: 9 }, () => 22));
  });

  test('end with the range: all of it is given, and not one more', async () => {
    expect(await claims.ensureAnyPorts(PORTS, any(20), { seed: 'seed' }, claimant('a'), signal)).toHaveLength(20);
    await expect(claims.ensureAnyPorts(PORTS, any(1), { seed: 'seed' }, claimant('b'), signal)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});
