import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NewObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { webspaceSpec } from '#libs/domain/desired-objects.js';
import type { Platform } from '#libs/domain/platform.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import type { KubernetesClient } from './client.js';

export interface KubernetesTarget {
  readonly client: KubernetesClient;
  close(): Promise<void>;
}

const LABEL = 'contract-run';
const COLLECTED_MS = 30_000;

/** What this client relies on in an API server: the same cases for the double and for the real one. */
export function kubernetesContract(name: string, setup: () => Promise<KubernetesTarget>): void {
  describe(`Kubernetes contract, ${name}`, () => {
    const run = randomUUID().slice(0, 8);
    let target: KubernetesTarget;
    let client: KubernetesClient;
    let count = 0;
    const nextName = () => `contract-${run}-${++count}`;
    const configMap = (data: Record<string, string>, at = nextName()): NewObject => ({
      metadata: { name: at, labels: { [LABEL]: run } },
      data,
    });
    const webspace = (at = nextName()): NewObject => ({
      metadata: { name: at, labels: { [LABEL]: run } },
      spec: webspaceSpec(exampleRecord(), PLATFORM),
    });
    const refused = (code: string) => expect.objectContaining({ code });

    beforeAll(async () => {
      target = await setup();
      client = target.client;
    }, 180_000);

    afterAll(async () => {
      for (const kind of ['configMap', 'webspace', 'domain'] as const) {
        for (const { metadata } of await client.list(kind, { labelSelector: `${LABEL}=${run}` }))
          await client.delete(kind, metadata.name, {});
      }
      await target.close();
    }, 60_000);

    test('of two that create a name the second is told that it exists', async () => {
      const object = configMap({ by: 'first' });
      const first = await client.create('configMap', object);
      await expect(client.create('configMap', object)).rejects.toEqual(refused('CONFLICT'));
      expect(await client.get('configMap', object.metadata.name)).toMatchObject({
        data: { by: 'first' },
        metadata: { uid: first.metadata.uid },
      });
      const tries = await Promise.allSettled(
        Array.from({ length: 5 }, () => client.create('configMap', configMap({}, `contract-${run}-same`))),
      );
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    test('what is not there is not found, and deleting it says so', async () => {
      await expect(client.get('configMap', nextName())).rejects.toEqual(refused('NOT_FOUND'));
      expect(await client.find('configMap', nextName())).toBeUndefined();
      expect(await client.delete('configMap', nextName(), {})).toBe(false);
      await expect(client.replace('configMap', stored(configMap({}), randomUUID(), '1'))).rejects.toEqual(
        expect.objectContaining({ code: expect.stringMatching(/^(NOT_FOUND|STALE)$/) }),
      );
    });

    test('a replacement needs the version that was read; one that changes nothing makes no version', async () => {
      const first = await client.create('configMap', configMap({ step: '1' }));
      const second = await client.replace('configMap', { ...first, data: { step: '2' } });
      expect(second.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
      await expect(client.replace('configMap', { ...first, data: { step: '3' } })).rejects.toEqual(refused('STALE'));
      const same = await client.replace('configMap', second);
      expect(same.metadata.resourceVersion).toBe(second.metadata.resourceVersion);
    });

    test('a deletion holds only for the uid and the version it names', async () => {
      const first = await client.create('configMap', configMap({}));
      const { name: at, uid, resourceVersion } = first.metadata;
      await expect(client.delete('configMap', at, { uid: randomUUID() })).rejects.toEqual(refused('STALE'));
      await client.replace('configMap', { ...first, data: { changed: 'yes' } });
      await expect(client.delete('configMap', at, { uid, resourceVersion })).rejects.toEqual(refused('STALE'));
      expect(await client.delete('configMap', at, { uid })).toBe(true);
      expect(await client.delete('configMap', at, { uid })).toBe(false);
    });

    test('a list holds what fits the selector: a label with a value, or a label at all', async () => {
      const names = [nextName(), nextName()];
      for (const [i, at] of names.entries()) {
        await client.create('configMap', {
          ...configMap({}, at),
          metadata: { name: at, labels: { [LABEL]: run, pick: `p${i}`, [`only-${run}`]: 'x' } },
        });
      }
      const namesOf = (objects: readonly StoredObject[]) => objects.map(({ metadata }) => metadata.name).sort();
      expect(namesOf(await client.list('configMap', { labelSelector: `only-${run}` }))).toEqual([...names].sort());
      expect(namesOf(await client.list('configMap', { labelSelector: `only-${run},pick=p1` }))).toEqual([names[1]]);
      const [found] = await client.list('configMap', { labelSelector: `only-${run},pick=p0` });
      expect(found).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    });

    test('a list of Secrets gives nothing of them but their metadata', async () => {
      expect(await client.list('secret', { labelSelector: `${LABEL}=${run}` })).toEqual([]);
      const at = nextName();
      await client.create('secret', { metadata: { name: at, labels: { [LABEL]: run } }, data: { key: 'c2VjcmV0' } });
      const [secret] = await client.list('secret', { labelSelector: `${LABEL}=${run}` });
      expect(secret).toMatchObject({ apiVersion: 'v1', kind: 'Secret', metadata: { name: at, uid: expect.any(String) } });
      expect(secret).not.toHaveProperty('data');
      expect(
        await client.delete('secret', at, { uid: secret?.metadata.uid ?? '', resourceVersion: secret?.metadata.resourceVersion ?? '' }),
      ).toBe(true);
    });

    test('a watch tells what changes after its version, of what fits the selector, until it is aborted', async () => {
      const stop = new AbortController();
      const [early, late, other] = [nextName(), nextName(), nextName()];
      await client.create('configMap', configMap({}, early));
      const from = await client.versionOf('configMap');
      const seen: string[] = [];
      const watching = client.watch('configMap', { from, labelSelector: `${LABEL}=${run}`, signal: stop.signal }, ({ type, object }) => {
        seen.push(`${type} ${object.metadata.name}`);
        if (type === 'DELETED') stop.abort();
      });
      const made = await client.create('configMap', configMap({ step: '1' }, late));
      await client.create('configMap', { metadata: { name: other } });
      await client.replace('configMap', { ...made, data: { step: '2' } });
      await client.delete('configMap', late, {});
      await expect(watching).rejects.toMatchObject({ name: 'AbortError' });
      expect(seen).toEqual([`ADDED ${late}`, `MODIFIED ${late}`, `DELETED ${late}`]);
      await client.delete('configMap', other, {});
    });

    test('apply makes what is missing, changes nothing twice, and drops what it says no more', async () => {
      const at = nextName();
      const first = await client.apply('configMap', configMap({ a: '1', b: '2' }, at));
      const again = await client.apply('configMap', configMap({ a: '1', b: '2' }, at));
      expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      const less = await client.apply('configMap', configMap({ a: '1' }, at));
      expect(less['data']).toEqual({ a: '1' });
    });

    test('apply with a uid or a version that is not so is refused, also when there is nothing (any more)', async () => {
      const at = nextName();
      const { uid, resourceVersion } = (await client.apply('configMap', configMap({ a: '1' }, at))).metadata;
      const withMeta = (meta: object, data = { a: '2' }) => ({
        ...configMap(data, at),
        metadata: { name: at, labels: { [LABEL]: run }, ...meta },
      });
      await expect(client.apply('configMap', withMeta({ uid: randomUUID() }))).rejects.toEqual(refused('STALE'));
      await client.apply('configMap', withMeta({ uid, resourceVersion }));
      await expect(client.apply('configMap', withMeta({ resourceVersion }, { a: '3' }))).rejects.toEqual(refused('STALE'));
      await client.delete('configMap', at, {});
      await expect(client.apply('configMap', withMeta({ uid }))).rejects.toEqual(refused('STALE'));
      expect(await client.find('configMap', at)).toBeUndefined();
    });

    test('the status is written beside the spec, and only of the version that was read', async () => {
      const made = await client.create('webspace', webspace());
      const { name: at, uid } = made.metadata;
      const status = (meta: object) =>
        client.apply('webspace', { metadata: { name: at, ...meta }, status: { phase: 'running' } }, { subresource: 'status' });
      expect(await status({ uid })).toMatchObject({ status: { phase: 'running' }, spec: { address: exampleRecord().network.address } });
      await expect(status({ uid, resourceVersion: made.metadata.resourceVersion })).rejects.toEqual(refused('STALE'));
      const replaced = await client.replace('webspace', { ...(await client.get('webspace', at)), status: { phase: 'stopped' } });
      expect(replaced['status']).toMatchObject({ phase: 'running' });
      await client.delete('webspace', at, { uid });
      await expect(status({ uid })).rejects.toEqual(expect.objectContaining({ code: expect.stringMatching(/^(NOT_FOUND|STALE)$/) }));
    });

    test(
      'what a deleted object owned goes with it',
      async () => {
        const owner = await client.create('webspace', webspace());
        const { apiVersion, kind, metadata } = owner;
        const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }];
        const owned = configMap({});
        await client.create('configMap', { ...owned, metadata: { ...owned.metadata, ownerReferences } });
        await client.delete('webspace', metadata.name, { uid: metadata.uid });
        for (const until = Date.now() + COLLECTED_MS; await client.find('configMap', owned.metadata.name); ) {
          if (Date.now() > until) throw new Error('the owned object is still there');
          await sleep(50);
        }
      },
      COLLECTED_MS + 10_000,
    );
  });
}

const PLATFORM = { baseDomain: 'ws.localhost' } as Platform;

function stored(object: NewObject, uid: string, resourceVersion: string): StoredObject {
  return { ...object, apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...object.metadata, uid, resourceVersion } };
}
