import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DnsNames } from './answers.js';
import { type DnsServer, startDnsServer } from './server.js';

const folder = mkdtempSync(join(tmpdir(), 'lab-dns-'));
const namesFile = join(folder, 'dns.json');
const asked: string[] = [];
let server: DnsServer;
let resolver: Resolver;

const set = (names: DnsNames) => writeFileSync(namesFile, JSON.stringify(names));
const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code,
  );

beforeAll(async () => {
  server = await startDnsServer({ host: '127.0.0.1', port: 0, namesFile }, (line) => asked.push(line));
  resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

describe("the lab's DNS server", () => {
  test('knows no name at first, and each as soon as its file names it', async () => {
    expect(await codeOf(resolver.resolveTxt('example.org'))).toBe('ENOTFOUND');
    set({ 'example.org': { txt: ['one', 'two'], a: ['192.0.2.1'] } });
    expect(await resolver.resolveTxt('example.org')).toEqual([['one'], ['two']]);
    expect(await resolver.resolve4('EXAMPLE.org')).toEqual(['192.0.2.1']);
    set({});
    expect(await codeOf(resolver.resolveTxt('example.org'))).toBe('ENOTFOUND');
  });

  test('tells a name without a record of the type from a name that does not exist', async () => {
    set({ 'example.org': { a: ['192.0.2.1'] }, 'empty.org': {} });
    expect(await codeOf(resolver.resolveTxt('example.org'))).toBe('ENODATA');
    expect(await codeOf(resolver.resolveTxt('empty.org'))).toBe('ENODATA');
  });

  test.each([
    ['SERVFAIL', 'ESERVFAIL'],
    ['REFUSED', 'EREFUSED'],
    ['silence', 'ETIMEOUT'],
  ] as const)('can fail with %s', async (fails, code) => {
    set({ 'example.org': { fails, txt: ['one'] } });
    expect(await codeOf(resolver.resolveTxt('example.org'))).toBe(code);
  });

  test('gives a TXT record of several strings as it stands, and cuts a long string into several', async () => {
    const long = 'a'.repeat(600);
    set({ 'example.org': { txt: [['webspace:', 'id:1'], long] } });
    const [several, cut] = await resolver.resolveTxt('example.org');
    expect(several).toEqual(['webspace:', 'id:1']);
    expect(cut?.map((part) => part.length)).toEqual([255, 255, 90]);
    expect(cut?.join('')).toBe(long);
  });

  test('makes the client ask again over TCP: always when told so, and for what does not fit', async () => {
    set({
      'short.org': { txt: ['one'], truncated: true },
      'long.org': { txt: Array.from({ length: 40 }, (_, i) => `${i}${'b'.repeat(200)}`) },
    });
    asked.length = 0;
    expect(await resolver.resolveTxt('short.org')).toEqual([['one']]);
    expect((await resolver.resolveTxt('long.org')).length).toBe(40);
    expect(asked).toEqual([
      'udp TXT short.org: truncated',
      'tcp TXT short.org: NOERROR, 1 records',
      'udp TXT long.org: truncated',
      'tcp TXT long.org: NOERROR, 40 records',
    ]);
  });

  test('follows an alias', async () => {
    set({ 'www.example.org': { cname: 'alice.ws.localhost' }, 'alice.ws.localhost': { txt: ['one'], a: ['127.0.0.1'] } });
    expect(await resolver.resolveCname('www.example.org')).toEqual(['alice.ws.localhost']);
    expect(await resolver.resolveTxt('www.example.org')).toEqual([['one']]);
    expect(await resolver.resolve4('www.example.org')).toEqual(['127.0.0.1']);
  });
});
