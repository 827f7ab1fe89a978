import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createLogger } from '#libs/logging/logger.js';
import { type CertificateFiles, makeCertificate } from '#libs/testing/certificates.js';
import type { Admission } from './admit.js';
import { askToJoin } from './ask-to-join.js';
import { identifyBy } from './identity.js';
import { JoinServer } from './join-server.js';

const ADMISSION: Admission = { token: 'joins', addresses: ['lxd-0:8443'], certificate: 'PEM', settings: [] };
const HOST = '127.0.0.1';
const NEVER = new AbortController().signal;

let folder: string;
let cluster: CertificateFiles;
let server: JoinServer;
let port: number;
let letIn: (member: string, volume: string) => Promise<Admission>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'joins-'));
  cluster = await makeCertificate(folder, 'cluster', 'DNS:lxd.example.org');
  writeFileSync(join(folder, 'token'), 'good\n');
  letIn = async () => ADMISSION;
  port = await freePort();
  server = new JoinServer({
    listen: { host: HOST, port },
    folder,
    identify: async (token) => {
      if (token !== 'good') throw new PlatformError('UNAUTHORIZED', 'Kubernetes does not know this token');
      return 'lxd-1';
    },
    admit: (member, volume) => letIn(member, volume),
    log: createLogger({ name: 'spec', level: 'silent' }),
  });
  await server.ensure();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, HOST, resolve));
  const found = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
  return found;
}

const ask = (more: object = {}) =>
  askToJoin({ addresses: [HOST], port, token: join(folder, 'token'), certificates: cluster.cert, volume: 'v1', ...more }, NEVER);

describe('a member that asks to be let in', () => {
  test('gets what it needs, as the one that its token says', async () => {
    const seen: string[] = [];
    letIn = async (member, volume) => {
      seen.push(`${member} ${volume}`);
      return ADMISSION;
    };
    expect(await ask()).toEqual(ADMISSION);
    expect(seen).toEqual(['lxd-1 v1']);
  });

  test('is told why not', async () => {
    letIn = async () => {
      throw new PlatformError('CONFLICT', 'The cluster has a member lxd-1');
    };
    await expect(ask()).rejects.toThrow(`${HOST}: The cluster has a member lxd-1`);
  });

  test('is let in by the second one when the first is away', async () => {
    expect(await ask({ addresses: ['127.0.0.2', HOST] })).toEqual(ADMISSION);
  });

  test('shows its token to nobody who does not have the certificate of the cluster', async () => {
    const other = await makeCertificate(folder, 'other');
    const heard: (string | undefined)[] = [];
    const impostor: Server = createServer({ cert: other.cert, key: other.key }, (request, response) => {
      heard.push(request.headers.authorization);
      response.end('{}');
    });
    await new Promise<void>((resolve) => impostor.listen(0, HOST, resolve));
    await expect(ask({ port: (impostor.address() as AddressInfo).port })).rejects.toThrow('another certificate');
    expect(heard).toEqual([]);
    impostor.closeAllConnections();
    await new Promise((resolve) => impostor.close(resolve));
  });

  test('knows the cluster by either certificate while one follows the other', async () => {
    const next = await makeCertificate(folder, 'next', 'DNS:lxd.example.org');
    expect(await ask({ certificates: `${next.cert}${cluster.cert}` })).toEqual(ADMISSION);
    writeFileSync(join(folder, 'cluster.crt'), next.cert);
    writeFileSync(join(folder, 'cluster.key'), next.key);
    await server.ensure();
    await expect(ask()).rejects.toThrow('another certificate');
    expect(await ask({ certificates: next.cert })).toEqual(ADMISSION);
  });

  test('waits for its turn: one is let in after the other', async () => {
    let inside = 0;
    let most = 0;
    letIn = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      return ADMISSION;
    };
    await Promise.all([ask(), ask(), ask()]);
    expect(most).toBe(1);
  });

  test('is refused without a good token', async () => {
    writeFileSync(join(folder, 'token'), 'bad');
    await expect(ask()).rejects.toThrow('does not know this token');
  });
});

describe('whose a token is', () => {
  const identify = (status: object) =>
    identifyBy({ kube: { create: async () => ({ status }) as never }, namespace: 'lxd8s', statefulSet: 'lxd', audience: 'a' })('t');
  const user = (username: string, pod?: string) => ({
    username,
    ...(pod === undefined ? {} : { extra: { 'authentication.kubernetes.io/pod-name': [pod] } }),
  });
  const OURS = 'system:serviceaccount:lxd8s:webspaces-lxd8s';

  test('a pod of the StatefulSet is known by its name', async () => {
    expect(await identify({ authenticated: true, audiences: ['a'], user: user(OURS, 'lxd-3') })).toBe('lxd-3');
  });

  test.each<[string, object, string]>([
    ['one that is not authenticated', { authenticated: false }, 'UNAUTHORIZED'],
    ['one for another audience', { authenticated: true, audiences: ['https://kubernetes'], user: user(OURS, 'lxd-3') }, 'UNAUTHORIZED'],
    ['one of no audience', { authenticated: true, user: user(OURS, 'lxd-3') }, 'UNAUTHORIZED'],
    ['one of no pod', { authenticated: true, audiences: ['a'], user: user(OURS) }, 'FORBIDDEN'],
    ['one of another pod', { authenticated: true, audiences: ['a'], user: user(OURS, 'lxd-api-1') }, 'FORBIDDEN'],
    ['one of a pod whose name only begins so', { authenticated: true, audiences: ['a'], user: user(OURS, 'lxd-3-x') }, 'FORBIDDEN'],
    [
      'one of another namespace',
      { authenticated: true, audiences: ['a'], user: user('system:serviceaccount:lxd8s-x:y', 'lxd-3') },
      'FORBIDDEN',
    ],
  ])('%s is refused', async (_what, status, code) => {
    await expect(identify(status)).rejects.toMatchObject({ code });
  });
});
