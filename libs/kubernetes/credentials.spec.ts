import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { loadCredentials } from './credentials.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'));
  for (const name of ['ca.crt', 'client.crt', 'client.key', 'token']) writeFileSync(join(folder, name), `${name}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(cluster: object, user: object, context: object = { cluster: 'c', user: 'u' }) {
  const file = join(folder, 'kubeconfig');
  const clusters = [
    { name: 'other', cluster: { server: 'https://other' } },
    { name: 'c', cluster: { server: 'https://here:6443/', ...cluster } },
  ];
  const users = [{ name: 'u', user }];
  writeFileSync(file, stringify({ clusters, users, contexts: [{ name: 'now', context }], 'current-context': 'now' }));
  return loadCredentials({ kubeconfig: file });
}
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('credentials of a kubeconfig', () => {
  test('are those of the current context, files taken from beside it', async () => {
    const files = { 'client-certificate': 'client.crt', 'client-key': join(folder, 'client.key') };
    const { server, tls, headers } = load({ 'certificate-authority': 'ca.crt' }, files);
    expect(server).toBe('https://here:6443');
    expect(tls).toEqual({ ca: 'ca.crt\n', cert: 'client.crt\n', key: 'client.key\n' });
    expect(await headers()).toEqual({});
  });

  test('inline data wins over a file', () => {
    const { tls } = load({ 'certificate-authority': 'ca.crt', 'certificate-authority-data': base64('inline') }, {});
    expect(tls).toEqual({ ca: 'inline' });
  });

  test('a token, or what its file holds', async () => {
    expect(await load({}, { token: 'secret' }).headers()).toEqual({ authorization: 'Bearer secret' });
    expect(await load({}, { token: 'old', tokenFile: 'token' }).headers()).toEqual({ authorization: 'Bearer token' });
  });

  test('a program that prints a token is run', async () => {
    const credential = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'printed' },
    });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'echo', args: [credential], interactiveMode: 'Never' };
    expect(await load({}, { exec }).headers()).toEqual({ authorization: 'Bearer printed' });
  }, 60_000);

  test('without a current cluster is refused by the name of the setting', () => {
    const refused = expect.objectContaining({ code: 'INVALID_INPUT', details: { field: 'kubernetes.kubeconfig' } });
    expect(() => load({}, {}, { cluster: 'nobody', user: 'u' })).toThrow(refused);
  });
});

test('without a kubeconfig, and outside of a pod, is refused by the name of the setting', () => {
  expect(() => loadCredentials({})).toThrow(expect.objectContaining({ details: { field: 'kubernetes.kubeconfig' } }));
});
