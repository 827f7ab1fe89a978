import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { GATEWAY_HEADER, GATEWAY_PROBE_PATH } from '#libs/contracts/gateway.js';
import { openSession, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type SiteInside, serveInside } from '../support/site-inside.js';

let session: Session;
let mine: Member;
let other: Member;
let inside: SiteInside[] = [];
/** What reached the webspace that nobody asked for. */
const strays: string[] = [];
const PORT = 8080;

beforeAll(async () => {
  session = await openSession();
  const { lab, members } = session;
  [mine, other] = [members.one(0), members.one(1)];
  for (const member of [mine, other]) {
    await members.create(member);
    await members.expect(200, member, 'PATCH', '/config', { httpPort: PORT });
    inside.push(await serveInside(lab, member.webspace, PORT, site(member)));
  }
}, 180_000);
afterAll(async () => {
  for (const one of inside) await one.close();
  inside = [];
  await session?.close();
}, 120_000);

function site(member: Member): Server {
  return createServer((incoming, response) => {
    if (member === other || incoming.url === '/smuggled') strays.push(`${member.username} ${incoming.method} ${incoming.url}`);
    incoming.resume().on('end', () => response.end(`${member.username} ${incoming.url}`));
  });
}

const hostOf = ({ username }: Member) => `${username}.${session.lab.profile.baseDomain}`;

/** All that is answered to these bytes until the connection ends, or nothing more comes for a moment after an answer. */
function said(text: string, by: 'gateway' | 'traefik'): Promise<string> {
  const { network, ports } = session.lab.profile;
  return new Promise((resolve, reject) => {
    const tls = { host: '127.0.0.1', port: ports.websecure, servername: hostOf(mine), ca: readFileSync(session.lab.caFile, 'utf8') };
    const socket =
      by === 'gateway' ? connect({ host: network.hostLink.host, port: ports.gatewayHttp, allowHalfOpen: true }) : connectTls(tls);
    let answer = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part;
      socket.setTimeout(1_000);
    });
    socket.setTimeout(60_000, () => socket.destroy());
    socket.once('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
    socket.once('close', () => resolve(answer));
    socket.write(text, 'latin1');
  });
}

const statusesOf = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));

/** `HOST` is the site's own name, `OTHER` another webspace's, which must never see any of it. */
const CASES: [string, string][] = [
  ['a length beside chunks', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED'],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\nSMUGGLED'],
  ['a length with a sign', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +0\r\n\r\nSMUGGLED'],
  ['a coding that only looks like chunked', 'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nSMUGGLED'],
  ['chunked that is not the last coding', 'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nSMUGGLED'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX-One: a\r\n Host: OTHER\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length : 5\r\n\r\nSMUGGLED'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: HOST\r\nHost: OTHER\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['a host that is none', 'GET / HTTP/1.1\r\nHost: HOST/@OTHER\r\n\r\n'],
  ['an upgrade with a body', 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 9\r\n\r\nSMUGGLED'],
];

/** Its head is well, so it boots. */
const BAD_CHUNK = 'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\nSMUGGLED';
/** Traefik takes the host of the target (RFC 9112 section 3.2.2): it is a request for the other. */
const OTHER_TARGET = 'GET http://OTHER/ HTTP/1.1\r\nHost: HOST\r\n\r\n';

function filled(text: string): string {
  const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${hostOf(mine)}\r\n\r\n`;
  return text.replaceAll('HOST', hostOf(mine)).replaceAll('OTHER', hostOf(other)).replaceAll('SMUGGLED', smuggled);
}

describe('a request that two readers could understand differently', () => {
  it.each([...CASES, ['a target that is another host', OTHER_TARGET]])(
    'is refused by the gateway, and the connection with it: %s',
    async (_, text) => {
      const answer = await said(filled(text), 'gateway');
      expect(statusesOf(answer)).toEqual([400]);
      expect(answer).not.toContain('/smuggled');
      expect(strays).toEqual([]);
      expect(await session.cluster.phase(mine.webspace)).toBe('stopped');
    },
    60_000,
  );
});

describe('through Traefik', () => {
  it('none of them reaches a webspace as anything but what it says, off or running', async () => {
    const all = [...CASES.map(([, text]) => text), BAD_CHUNK];
    for (const text of all) await said(filled(text), 'traefik').catch(() => '');
    await session.members.expect(204, mine, 'POST', '/state').catch(() => undefined);
    for (const text of all) await said(filled(text), 'traefik').catch(() => '');
    expect(strays.filter((what) => what.startsWith(other.username))).toEqual([]);
  }, 120_000);
});

describe('a body of bad chunks', () => {
  it('is refused, and nothing behind it is a request', async () => {
    // Traefik reads what stands behind some of them as a further request to the same site, and says so to it in proper form.
    strays.length = 0;
    const answer = await said(filled(BAD_CHUNK), 'gateway');
    expect(statusesOf(answer)).toEqual([400]);
    expect(strays).toEqual([]);
  }, 60_000);
});

describe('names and clients', () => {
  it('a name in capitals, with a trailing dot or a port is the same site; nobody’s is 404; the gateway names itself for any', async () => {
    const ask = (host: string, path = '/') => said(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'gateway');
    for (const host of [hostOf(mine).toUpperCase(), `${hostOf(mine)}.`, `${hostOf(mine)}:443`])
      expect(await ask(host)).toContain(mine.username);
    expect(statusesOf(await ask('nobody.ws.localhost'))).toEqual([404]);
    expect((await ask('nobody.ws.localhost', GATEWAY_PROBE_PATH)).toLowerCase()).toContain(`\r\n${GATEWAY_HEADER}: `);
    expect(await session.cluster.phase(other.webspace)).toBe('stopped');
  }, 60_000);

  it('one that sends its head a byte at a time is let go in time, and others do not notice', async () => {
    const { network, ports } = session.lab.profile;
    const slow = Array.from({ length: 50 }, () => connect({ host: network.hostLink.host, port: ports.gatewayHttp }));
    const begun = performance.now();
    const ended = Promise.all(
      slow.map(
        (socket) =>
          new Promise((resolve) =>
            socket
              .on('error', () => undefined)
              .once('close', resolve)
              .resume(),
          ),
      ),
    );
    const drip = setInterval(() => {
      for (const socket of slow) if (!socket.destroyed) socket.write('X');
    }, 500);
    try {
      const ask = `GET / HTTP/1.1\r\nHost: ${hostOf(mine)}\r\nConnection: close\r\n\r\n`;
      await waitFor('an answer to others', async () => statusesOf(await said(ask, 'gateway'))[0] === 200, { timeoutMs: 20_000 });
      await ended;
      expect(performance.now() - begun).toBeLessThan(40_000);
    } finally {
      clearInterval(drip);
      for (const socket of slow) socket.destroy();
    }
  }, 90_000);
});
