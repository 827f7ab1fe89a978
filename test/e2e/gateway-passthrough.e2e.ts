import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { GATEWAY_ALPN, GATEWAY_LINE } from '#libs/contracts/gateway.js';
import { GATEWAY_SERVICE } from '#libs/contracts/webspaces-api.js';
import { makeCertificate } from '#libs/testing/certificates.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { Random } from '../support/random.js';
import { serveInside } from '../support/site-inside.js';
import { countStarts } from '../support/starts.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

const COMMON_NAME = 'inside.example.org';

/** Straight to the gateway's port for TLS. */
function gateway(): { host: string; port: number } {
  const { network, ports } = session.lab.profile;
  return { host: network.hostLink.host, port: ports.gatewayTls };
}

/** What a visitor through Traefik sees: the certificate's name, and the echo of what was said. */
function echoed({ username }: Member, text: string): Promise<string> {
  const { ports, baseDomain } = session.lab.profile;
  return new Promise((resolve, reject) => {
    const servername = `${username}.${baseDomain}`;
    const socket: TLSSocket = connect({ host: '127.0.0.1', port: ports.websecure, servername, rejectUnauthorized: false }, () => {
      const name = String(socket.getPeerCertificate().subject.CN);
      let answer = '';
      socket.on('data', (part) => {
        answer += String(part);
        if (answer.length >= text.length) socket.end();
      });
      socket.once('close', () => resolve(`${name} ${answer}`));
      socket.write(text);
    });
    socket.setTimeout(60_000, () => socket.destroy(new Error('no answer within a minute')));
    socket.once('error', reject);
  });
}

async function targetOf({ webspace }: Member): Promise<string | undefined> {
  const spec = (await session.cluster.find('ingressRouteTcp', webspace))?.['spec'] as
    | { routes: { services: { name: string }[] }[] }
    | undefined;
  return spec?.routes[0]?.services[0]?.name;
}

/** Says these bytes to the gateway, and `then` no more, and collects what it says until it ends the connection. */
function said(bytes: Buffer, then: 'waits' | 'ends' = 'waits'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connectTcp({ ...gateway(), allowHalfOpen: true }, () => (then === 'ends' ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.once('end', () => {
      socket.end();
      resolve(Buffer.concat(parts));
    });
    socket.setTimeout(15_000, () => socket.destroy(new Error('the gateway did not end the connection')));
    socket.once('error', reject);
  });
}

/** The first bytes of a real client with that name and those protocols. */
function clientHello(servername: string, protocols: string[] = []): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const server = createTcpServer((peer) => {
      peer.once('data', (hello: Buffer) => {
        resolve(hello);
        peer.destroy();
        server.close();
      });
    });
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      // Its connection is cut off: only its first words are wanted.
      connect({ host: '127.0.0.1', port, servername, ALPNProtocols: protocols }).on('error', () => undefined);
    });
  });
}

const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);
const DECODE_ERROR = Buffer.from([21, 3, 3, 0, 2, 2, 50]);

describe('row 26: TLS that is passed through to a webspace that is off', () => {
  it('boots it once, and every visitor meets its own server', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    await members.create(member);
    await members.expect(200, member, 'PATCH', '/config', { sniPassthrough: true, httpPort: 443 });
    const certificate = await makeCertificate(lab.profile.paths.state, COMMON_NAME);
    const server = createServer(certificate, (connection) => connection.pipe(connection));
    server.on('tlsClientError', () => undefined);
    const inside = await serveInside(lab, member.webspace, 443, server);
    const starts = await countStarts(lab);
    try {
      const visitors = Array.from({ length: times({ short: 20, full: 200 }) }, (_, i) => `visitor ${i}`);
      const begun = performance.now();
      const answers = await Promise.all(visitors.map((text) => echoed(member, text)));
      report(`${visitors.length} TLS visitors of a stopped webspace`, `${(performance.now() - begun).toFixed(0)} ms`);
      expect(answers).toEqual(visitors.map((text) => `${COMMON_NAME} ${text}`));
      expect(starts.of(member.webspace)).toBe(1);
      const long = 'x'.repeat(3_000_000);
      expect(await echoed(member, long)).toBe(`${COMMON_NAME} ${long}`);
      await lab.lxc(['pause', member.webspace]);
      // Until the route has followed, a visitor is led to a container that takes connections and answers none.
      await waitFor('the route to the gateway', async () => (await targetOf(member)) === GATEWAY_SERVICE, { timeoutMs: 10_000 });
      expect(await echoed(member, 'again')).toBe(`${COMMON_NAME} again`);
    } finally {
      await starts.close();
      await inside.close();
    }
  }, 180_000);
});

describe('what is no visit', () => {
  it('gets an answer of TLS and boots nothing: no such name, no name, no TLS, the probe', async () => {
    const { members, cluster } = session;
    const member = members.one(1);
    await members.create(member);
    const starts = await countStarts(session.lab);
    const host = `${member.username}.${session.lab.profile.baseDomain}`;
    expect(await said(await clientHello('nobody.ws.localhost'))).toEqual(UNRECOGNIZED_NAME);
    // TLS is not passed through to this one.
    expect(await said(await clientHello(host))).toEqual(UNRECOGNIZED_NAME);
    expect(await said(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toEqual(DECODE_ERROR);
    expect(String(await said(await clientHello(host, [GATEWAY_ALPN])))).toBe(GATEWAY_LINE);
    await waitFor('its creation to be settled', async () => (await cluster.phase(member.webspace)) === 'stopped', { timeoutMs: 10_000 });
    expect(starts.of(member.webspace)).toBe(0);
    await starts.close();
  }, 60_000);

  it('never harms it: ClientHellos with bytes changed at random', async () => {
    const { lab } = session;
    const random = new Random(7);
    const hello = await clientHello('nobody.ws.localhost');
    const pid = lab.process('gateway').pid();
    const changed = Array.from({ length: times({ short: 300, full: 5_000 }) }, () => {
      const bytes = Buffer.from(hello);
      for (let n = 0; n < 1 + random.upTo(4); n++) bytes[random.upTo(bytes.length)] = random.upTo(256);
      return bytes;
    });
    for (const bytes of changed) {
      // An alert, or nothing where it waited for more.
      const answer = await said(bytes, 'ends');
      expect(answer.length === 0 || (answer.length === 7 && answer[0] === 21)).toBe(true);
    }
    expect(lab.process('gateway').pid()).toBe(pid);
    expect(await lab.process('gateway').healthy()).toBe(true);
  }, 300_000);
});
