import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { createLogger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { admit } from './admit.js';
import { ClusterRecord } from './record.js';

const NEVER = new AbortController().signal;
const log = createLogger({ name: 'spec', level: 'silent' });
const lxd = {
  members: async () => [{ server_name: 'lxd-0' }],
  makeJoinToken: async () => ({ token: 'joins', addresses: ['lxd-0:8443'] }),
  cluster: async () => ({ member_config: [] }),
} as unknown as OwnMember;

let double: KubernetesDouble;
let kube: KubernetesClient;
let record: ClusterRecord;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'admit-'));
  writeFileSync(join(folder, 'cluster.crt'), 'PEM');
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd8s' });
  record = new ClusterRecord(kube, 'lxd');
  await record.create({ id: 'c', phase: 'formed', claim: { member: 'lxd-0', volume: 'v0' }, certificates: '', volumes: {} });
});
afterEach(async () => {
  await kube.close();
  await double.close();
  rmSync(folder, { recursive: true, force: true });
});

const letIn = (member: string) => admit(member, `volume-of-${member}`, { lxd, record, folder, log });
/** The turn of lxd-1, so long ago. */
async function begunBefore(ms: number): Promise<string> {
  const since = new Date(Date.now() - ms).toISOString();
  await record.change((now) => ({ ...now, joining: { member: 'lxd-1', since } }), NEVER);
  return since;
}
const joining = async () => (await record.read(NEVER))?.joining?.member;

describe('members that want to join at the same time', () => {
  test('are let in one after the other: the next one once the first is in', async () => {
    expect(await letIn('lxd-1')).toMatchObject({ token: 'joins' });
    expect(await joining()).toBe('lxd-1');
    await expect(letIn('lxd-2')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'lxd-1 joins at this moment, and lxd-2 is next',
    });
    await record.change((now) => ({ ...now, joining: undefined }), NEVER);
    await letIn('lxd-2');
    expect(await joining()).toBe('lxd-2');
    expect((await record.read(NEVER))?.volumes).toEqual({ 'lxd-1': 'volume-of-lxd-1', 'lxd-2': 'volume-of-lxd-2' });
  });

  test('one that asks again, having been cut off, has its turn still', async () => {
    await letIn('lxd-1');
    await letIn('lxd-1');
    expect(await joining()).toBe('lxd-1');
  });

  test('one that never came keeps the others out for a time only', async () => {
    await letIn('lxd-1');
    await begunBefore(299_000);
    await expect(letIn('lxd-2')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await begunBefore(301_000);
    await letIn('lxd-2');
    expect(await joining()).toBe('lxd-2');
  });

  test('one that asks again and again does not keep its turn for ever, and gets no token by which it would join in the turn of another', async () => {
    await letIn('lxd-1');
    const since = await begunBefore(149_000);
    await letIn('lxd-1');
    expect((await record.read(NEVER))?.joining).toEqual({ member: 'lxd-1', since });
    await begunBefore(151_000);
    await expect(letIn('lxd-1')).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('try again in 149 s') });
    await begunBefore(301_000);
    await letIn('lxd-1');
    expect(Date.parse((await record.read(NEVER))?.joining?.since ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });
});
