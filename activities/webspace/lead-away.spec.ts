import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { GATEWAY_HEADER, GATEWAY_LINE, GATEWAY_PROBE_PATH, type PortsStatus } from '#libs/contracts/gateway.js';
import { createLogger } from '#libs/logging/logger.js';
import { makeCertificate } from '#libs/testing/certificates.js';
import type { Call } from '../shared/guard.js';
import { LeadAway, type Leaving } from './lead-away.js';

const HOSTS = ['alice.ws.example', 'shop.example'];
const site: Leaving = { name: 'ws-u1', uid: 'uid-1', hosts: HOSTS, ports: 0, sniPassthrough: false };
const open: Server[] = [];
let folder: string;
let tls: { readonly key: string; readonly cert: string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lead-away-'));
  tls = await makeCertificate(folder, 'entry-point');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listening(server: Server): Promise<{ readonly host: string; readonly port: number }> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** An entry point whose route of each host leads to the container for so many requests, and then to the gateway. */
async function entryPoint(requestsToContainer: number, seen: string[] = []) {
  const left = new Map(HOSTS.map((host) => [host, requestsToContainer]));
  return listening(
    createHttpsServer(tls, (request, response) => {
      const host = request.headers.host ?? '';
      seen.push(`${host}${request.url}`);
      const toContainer = left.get(host) ?? 0;
      left.set(host, toContainer - 1);
      if (toContainer > 0) response.writeHead(200).end('a page of the container');
      else response.writeHead(200, { [GATEWAY_HEADER]: 'gateway-1' }).end();
    }),
  );
}

async function statusPage(...answers: (Partial<PortsStatus> | undefined)[]) {
  let asked = 0;
  return listening(
    createHttpServer((request, response) => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (!answer) return response.writeHead(503).end();
      expect(request.url).toBe('/status/ws-u1');
      return response.end(JSON.stringify({ name: 'ws-u1', uid: 'uid-1', active: true, kernel: [], ...answer }));
    }),
  );
}

interface Waits {
  readonly entryPoints?: readonly { readonly host: string; readonly port: number }[];
  readonly portsGateways?: readonly { readonly host: string; readonly port: number }[];
  readonly waitSeconds?: number;
  readonly drainSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Milliseconds that it took. */
async function lead(leaving: Leaving, { signal = new AbortController().signal, ...waits }: Waits): Promise<number> {
  const log = createLogger({ name: 'test', level: 'silent' });
  const leadAway = new LeadAway({ entryPoints: [], portsGateways: [], waitSeconds: 5, drainSeconds: 0, ...waits, log });
  const call = { signal, waiting: () => undefined } as unknown as Call;
  const begun = performance.now();
  await leadAway.newVisitors(call, leaving);
  return performance.now() - begun;
}

describe('leading visitors away', () => {
  test('waits until every host meets the gateway by every entry point', async () => {
    const [first, second]: [string[], string[]] = [[], []];
    await lead(site, { entryPoints: [await entryPoint(0, first), await entryPoint(3, second)] });
    expect(new Set(first)).toEqual(new Set(HOSTS.map((host) => `${host}${GATEWAY_PROBE_PATH}`)));
    expect(second).toHaveLength(8);
  });

  test('waits no longer than it may for one that is not switched, or is away', async () => {
    const closed = await listening(createServer());
    await new Promise((resolve) => open.splice(0)[0]?.close(resolve));
    expect(await lead(site, { entryPoints: [await entryPoint(10_000)], waitSeconds: 0.3 })).toBeLessThan(1_500);
    expect(await lead(site, { entryPoints: [closed], waitSeconds: 0.3 })).toBeLessThan(1_500);
  });

  test('asks by TLS for what is passed through, without a handshake', async () => {
    const hellos: Buffer[] = [];
    const gateway = await listening(
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', (hello) => {
          hellos.push(hello as Buffer);
          // The first one reaches the container, which ends it.
          socket.end(hellos.length === 1 ? '' : GATEWAY_LINE);
        });
      }),
    );
    await lead({ ...site, sniPassthrough: true }, { entryPoints: [gateway] });
    expect(hellos).toHaveLength(2);
    expect(hellos[1]?.[0]).toBe(0x16);
    expect(hellos[1]?.includes('alice.ws.example')).toBe(true);
    expect(hellos[1]?.includes('webspaces-gateway')).toBe(true);
  });

  test('waits until the active ports gateway has nothing in the kernel for it', async () => {
    const standby = await statusPage({ active: false });
    const active = await statusPage({ kernel: ['tcp-50000'] }, undefined, { kernel: ['tcp-50000'] }, { kernel: [] });
    const waited = await lead({ ...site, ports: 1 }, { portsGateways: [standby, active] });
    expect(waited).toBeGreaterThanOrEqual(50);
    expect(await lead({ ...site, ports: 1 }, { portsGateways: [standby], waitSeconds: 0.2 })).toBeLessThan(1_500);
  });

  test('asks no ports gateway when nothing is forwarded, and waits for nothing when nothing is published', async () => {
    const waits = { portsGateways: [await statusPage({ kernel: ['tcp-50000'] })], waitSeconds: 5, drainSeconds: 5 };
    expect(await lead(site, waits)).toBeLessThan(1_000);
    expect(await lead({ ...site, hosts: [] }, { ...waits, entryPoints: [await entryPoint(10_000)] })).toBeLessThan(1_000);
  });

  test('gives requests under way their moment, which a cancellation ends', async () => {
    const entryPoints = [await entryPoint(0)];
    expect(await lead(site, { entryPoints, drainSeconds: 0.2 })).toBeGreaterThanOrEqual(190);
    const stop = new AbortController();
    const led = lead(site, { entryPoints, drainSeconds: 30, signal: stop.signal });
    stop.abort();
    await expect(led).rejects.toThrow(/abort/i);
  });
});
