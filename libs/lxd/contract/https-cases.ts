import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeCertificate } from '#libs/testing/certificates.js';
import { eventually } from '#libs/testing/eventually.js';
import { createLxdClient, type LxdClientOptions } from '../create-client.js';
import { type Fixture, failureOf } from './fixture.js';

export function httpsCases(fixture: Fixture): void {
  test('HTTPS: the pinned server and a trusted client; everything else is refused', async () => {
    const { url } = fixture.target;
    const client = await makeCertificate(fixture.folder, 'client');
    const stranger = await makeCertificate(fixture.folder, 'stranger');
    const environment = (await fixture.client.server()).environment as unknown as { certificate: string };
    const serverCertFile = join(fixture.folder, 'server.crt');
    await writeFile(serverCertFile, environment.certificate);
    const options = { url, clientCertFile: client.certFile, clientKeyFile: client.keyFile, serverCertFile };

    const before = await withClient(options, (https) => failureOf(https.server()));
    expect(before).toMatchObject({ code: 'DENIED_UPSTREAM', details: { reason: 'untrusted' } });
    expect(before.message).toContain('trust');
    expect((await withClient(options, (https) => failureOf(https.instances.list()))).code).toBe('DENIED_UPSTREAM');

    await fixture.client.certificates.add({ name: 'contract', pem: client.cert });
    expect((await failureOf(fixture.client.certificates.add({ name: 'contract', pem: client.cert }))).code).toBe('CONFLICT');
    const added = (await fixture.client.certificates.list()).find(({ name }) => name === 'contract');
    try {
      await withClient(options, async (https) => {
        expect((await https.server()).auth).toBe('trusted');
        expect((await https.instances.get(fixture.shared)).value.name).toBe(fixture.shared);
        expect((await https.exec.run(fixture.shared, { command: ['sh', '-c', 'exit 5'] })).exitCode).toBe(5);
        let connected = false;
        const onConnected = (): void => {
          connected = true;
        };
        const stream = https.events(['lifecycle'], { onConnected, onEvent: () => undefined, onDisconnected: () => undefined });
        await eventually(() => connected || undefined);
        stream.close();
      });
      const wrongPin = await withClient({ ...options, serverCertFile: stranger.certFile }, (https) => failureOf(https.server()));
      expect(wrongPin).toMatchObject({ code: 'DENIED_UPSTREAM', details: { reason: 'wrong-pin' } });
      expect(wrongPin.message).toContain('another certificate');
    } finally {
      await fixture.client.certificates.delete(added?.fingerprint ?? '');
    }
    expect((await withClient(options, (https) => failureOf(https.instances.list()))).code).toBe('DENIED_UPSTREAM');
  }, 30_000);

  test('a trust token is made, in the form that others redeem', async () => {
    const token = await fixture.client.certificates.createToken({ name: 'contract-token' });
    const parts = JSON.parse(Buffer.from(token, 'base64').toString()) as Record<string, unknown>;
    expect(parts).toMatchObject({ client_name: 'contract-token', secret: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });
}

async function withClient<T>(options: LxdClientOptions, use: (client: ReturnType<typeof createLxdClient>) => Promise<T>): Promise<T> {
  const client = createLxdClient(options);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
