import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { makeCertificate } from '#libs/testing/certificates.js';
import { openSession, type Session } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

const claim = (key: string) => session.cluster.find('portForward', key);
const asAdmin = (method: string, path: string, body?: unknown) => session.lab.api('admin', method, path, body);

async function config(member: Member, change: object): Promise<object> {
  return (await session.members.expect(200, member, 'PATCH', '/config', change)).json<object>();
}

/** The ports of the objects that lead to the container. */
async function publishedPorts({ webspace }: Member): Promise<unknown> {
  const service = (await session.cluster.find('service', webspace))?.['spec'] as { ports: { targetPort: number }[] };
  const slice = (await session.cluster.find('endpointSlice', webspace))?.['ports'] as { port: number }[];
  return [service.ports[0]?.targetPort, slice[0]?.port];
}

describe('configuration', () => {
  it('row 10: takes a startup delay of 0, 2.5 and 60, refuses 60.1 and -1 and changes nothing then', async () => {
    const { members } = session;
    const member = members.one(0);
    await members.create(member);
    const before = { startupDelay: 3, httpPort: 80, sniPassthrough: false };
    expect(await config(member, { startupDelay: 0 })).toEqual(before);
    expect(await config(member, { startupDelay: 2.5 })).toEqual({ ...before, startupDelay: 0 });
    expect(await config(member, { startupDelay: 60 })).toEqual({ ...before, startupDelay: 2.5 });
    for (const startupDelay of [60.1, -1]) {
      const refused = await members.expect(400, member, 'PATCH', '/config', { startupDelay });
      expect(refused.json()).toMatchObject({ field: 'startupDelay', message: 'invalid value for configuration option' });
    }
    expect((await members.expect(200, member, 'GET', '/config')).json()).toEqual({ ...before, startupDelay: 60 });
    expect((await members.record(member)).http.startupDelaySeconds).toBe(60);
    expect(await config(member, {})).toEqual({ ...before, startupDelay: 60 });
  }, 60_000);

  it('row 11: leads to another port of a running container, and refuses 0 and 70000', async () => {
    const { lab, members } = session;
    const member = members.one(1);
    await members.running(member);
    await lab.lxc([
      'exec',
      member.webspace,
      '--',
      'sh',
      '-c',
      'mkdir -p /www2 && echo eighty-eighty > /www2/index.html && httpd -p 8080 -h /www2',
    ]);
    await config(member, { httpPort: 8080 });
    expect(await publishedPorts(member)).toEqual([8080, 8080]);
    await waitFor('the page of port 8080', async () => (await lab.visit(member.username)).body.includes('eighty-eighty'), {
      timeoutMs: 10_000,
    });
    for (const httpPort of [0, 70_000]) {
      const refused = await members.expect(400, member, 'PATCH', '/config', { httpPort });
      expect(refused.json()).toMatchObject({ field: 'httpPort', message: 'invalid value for configuration option' });
    }
    await config(member, { httpPort: 80 });
    await members.served(member);
  }, 60_000);

  it('row 12: passes TLS through to a server inside with its own certificate, and terminates it again', async () => {
    const { cluster, lab, members } = session;
    const member = members.one(2);
    await members.running(member);
    const inside = await tlsInside(member);
    try {
      await config(member, { sniPassthrough: true, httpPort: 443 });
      expect(await cluster.has('ingressRoute', member.webspace)).toBe(false);
      const subject = () => certificateSeen(member);
      await waitFor('the certificate of the server inside', async () => (await subject()) === inside.commonName, { timeoutMs: 10_000 });
      await config(member, { sniPassthrough: false, httpPort: 80 });
      expect(await cluster.has('ingressRouteTcp', member.webspace)).toBe(false);
      await waitFor('the certificate of the platform', async () => (await subject()) !== inside.commonName, { timeoutMs: 10_000 });
      await members.served(member);
    } finally {
      await lab.lxc(['config', 'device', 'remove', member.webspace, 'tls']);
      inside.server.close();
      rmSync(inside.socket, { force: true });
    }
  }, 60_000);
});

/** A TLS server that the container's port 443 leads to (by LXD's proxy device: the image has no TLS server of its own). */
async function tlsInside({ webspace }: Member): Promise<{ server: Server; socket: string; commonName: string }> {
  const { lab } = session;
  const commonName = 'inside.example.org';
  const socket = join(lab.profile.paths.lxd, 'tls-inside.sock');
  rmSync(socket, { force: true });
  const server = createServer(await makeCertificate(lab.profile.paths.state, commonName), (connection) =>
    connection.end('HTTP/1.1 200 OK\r\n\r\n'),
  );
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const device = ['listen=tcp:0.0.0.0:443', `connect=unix:${socket}`, 'bind=instance'];
  await lab.lxc(['config', 'device', 'add', webspace, 'tls', 'proxy', ...device]);
  return { server, socket, commonName };
}

/** The common name of the certificate that a visitor of the site is shown. */
function certificateSeen({ username }: Member): Promise<string | undefined> {
  const { ports, baseDomain } = session.lab.profile;
  return new Promise((resolve) => {
    const servername = `${username}.${baseDomain}`;
    const socket = connect({ host: '127.0.0.1', port: ports.websecure, servername, rejectUnauthorized: false, timeout: 2_000 }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
    socket.on('timeout', () => socket.destroy());
    socket.on('close', () => resolve(undefined));
  });
}

describe('several changes in one operation', () => {
  it('are made all, with UDP ports, or none', async () => {
    const { cluster, members } = session;
    const [member, other] = members.some(2, 30) as [Member, Member];
    await inTurns([member, other], 2, (one) => members.create(one));
    await members.change(member, {
      config: { httpPort: 8080, startupDelaySeconds: 0 },
      ports: {
        add: [
          { protocol: 'udp', external: 50_053, internal: 53 },
          { external: 50_053, internal: 53 },
        ],
      },
    });
    expect(await members.record(member)).toMatchObject({
      http: { port: 8080, startupDelaySeconds: 0 },
      ports: [
        { protocol: 'udp', external: 50_053 },
        { protocol: 'tcp', external: 50_053 },
      ],
    });
    expect(await members.forwards(member)).toEqual({ 50053: 53 });

    const before = await members.record(other);
    const failed = await members.change(
      other,
      {
        config: { httpPort: 81 },
        ports: {
          add: [
            { external: 50_100, internal: 1 },
            { external: 50_053, internal: 1 },
          ],
        },
      },
      'failed',
    );
    expect(failed['error']).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('tcp-50053') });
    expect(await members.record(other)).toEqual(before);
    expect(await cluster.find('portForward', 'tcp-50100')).toBeUndefined();

    // What is removed makes place for what is added.
    await members.change(member, { ports: { remove: [{ external: 50_053 }], add: [{ external: 50_053, internal: 5_353 }] } });
    expect(await claim('tcp-50053')).toMatchObject({ spec: { internal: 5_353 } });
  }, 60_000);

  it('are shown to admins with all other ports, and to nobody else', async () => {
    const { lab, members } = session;
    const member = members.one(35);
    await members.create(member);
    await members.change(member, {
      ports: {
        add: [
          { protocol: 'udp', external: 50_200, internal: 53 },
          { external: 50_201, internal: 22 },
        ],
      },
    });
    const list = (query: string) => asAdmin('GET', `/v2/port-forwards?webspace=${member.webspace}${query}`);
    const first = (await list('&limit=1')).json<{ portForwards: object[]; cursor: string }>();
    expect(first.portForwards).toEqual([
      {
        protocol: 'udp',
        external: 50_200,
        internal: 53,
        webspace: member.webspace,
        owner: { id: String(member.id), username: member.username },
      },
    ]);
    expect((await list(`&limit=1&cursor=${first.cursor}`)).json()).toMatchObject({ portForwards: [{ external: 50_201 }] });
    expect((await lab.api({ id: member.id }, 'GET', '/v2/port-forwards')).status).toBe(403);
  }, 60_000);
});
