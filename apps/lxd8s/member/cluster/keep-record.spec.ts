import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import { type CertificateFiles, makeCertificate } from '#libs/testing/certificates.js';
import { type KubernetesDouble, startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { leafPem } from './certificate.js';
import { keepRecord } from './keep-record.js';
import { type Cluster, ClusterRecord } from './record.js';

const NEVER = new AbortController().signal;
const ID = 'user.webspaces.cluster';

let folder: string;
let double: KubernetesDouble;
let kube: KubernetesClient;
let record: ClusterRecord;
let certificate: CertificateFiles;
/** LXD's configuration. */
let config: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'record-'));
  certificate = await makeCertificate(folder, 'now', 'DNS:lxd.example.org');
  writeFileSync(join(folder, 'cluster.crt'), certificate.cert);
  double = await startKubernetesDouble();
  kube = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'lxd8s' });
  record = new ClusterRecord(kube, 'lxd');
  config = { [ID]: 'c1' };
});
afterEach(async () => {
  await kube.close();
  await double.close();
  rmSync(folder, { recursive: true, force: true });
});

const lxd = {
  connection: { read: async () => ({ value: { config } }) },
  configure: async (more: Record<string, string>) => void Object.assign(config, more),
} as unknown as OwnMember;
const keep = (role: 'keeper' | 'other', member = 'lxd-0') =>
  keepRecord({ lxd, record, folder, member, volume: `v-${member}`, role }, NEVER);
const written = (more: Partial<Cluster> = {}) =>
  record.create({ id: 'c1', phase: 'formed', claim: { member: 'lxd-0', volume: 'v-lxd-0' }, certificates: 'OLD', volumes: {}, ...more });

describe('the record of a cluster', () => {
  test('is written again when it is lost, by the id that LXD has, by each member its part', async () => {
    await keep('keeper');
    await keep('other', 'lxd-1');
    expect(await record.read(NEVER)).toMatchObject({
      id: 'c1',
      phase: 'formed',
      certificates: leafPem(certificate.cert),
      volumes: { 'lxd-0': 'v-lxd-0', 'lxd-1': 'v-lxd-1' },
    });
  });

  test('is formed once its first member is', async () => {
    await written({ phase: 'claimed' });
    expect(await keep('keeper')).toMatchObject({ phase: 'formed', certificates: leafPem(certificate.cert) });
  });

  test('of another cluster is left as it is', async () => {
    await written({ id: 'other' });
    await expect(keep('keeper')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await record.read(NEVER)).toMatchObject({ id: 'other', certificates: 'OLD', volumes: {} });
  });

  test('has the certificates that one member for all says, and no other', async () => {
    const both = `${leafPem(certificate.cert).trim()}\n${(await makeCertificate(folder, 'next', 'DNS:x')).cert.trim()}\n`;
    await written({ certificates: both, announcedAt: '2026-01-01T00:00:00Z' });
    expect((await keep('keeper')).certificates).toBe(both);
    writeFileSync(join(folder, 'cluster.crt'), (await makeCertificate(folder, 'next2', 'DNS:x')).cert);
    expect((await keep('other', 'lxd-1')).certificates).toBe(both);
    expect(await keep('keeper')).toMatchObject({ announcedAt: undefined });
  });

  test('of a cluster that was made otherwise gets its id from one member alone', async () => {
    config = {};
    await expect(keep('other', 'lxd-1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { id } = await keep('keeper');
    expect(config[ID]).toBe(id);
    expect((await keep('other', 'lxd-1')).id).toBe(id);
  });
});
