import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DnsName } from '#lab/dns/answers.js';
import { type DnsServer, startDnsServer } from '#lab/dns/server.js';
import { TxtResolver } from './txt-resolver.js';

const HOST = 'shop.example.com';
const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'txt-resolver-'));
const silentNames = join(folder, 'silent.json');
const namesFile = join(folder, 'names.json');
const unheard: string[] = [];

let dns: DnsServer;
let silent: DnsServer;
beforeAll(async () => {
  writeFileSync(silentNames, JSON.stringify({ [HOST]: { fails: 'silence' } }));
  dns = await startDnsServer({ host: '127.0.0.1', port: 0, namesFile }, () => undefined);
  silent = await startDnsServer({ host: '127.0.0.1', port: 0, namesFile: silentNames }, (line) => unheard.push(line));
});
afterAll(() => {
  dns.close();
  silent.close();
  rmSync(folder, { recursive: true });
});

const say = (name: DnsName | undefined) => writeFileSync(namesFile, JSON.stringify(name === undefined ? {} : { [HOST]: name }));
const resolver = (...servers: { readonly port: number }[]) =>
  new TxtResolver({ resolvers: servers.map(({ port }) => `127.0.0.1:${port}`), timeoutMs: 200, tries: 2 });

describe('the TXT records of a name', () => {
  test('are given whole, their strings joined', async () => {
    say({ txt: ['webspace:id:12', ['v=spf1 ', '-all']] });
    expect(await resolver(dns).ask(HOST, never)).toEqual({ is: 'records', records: ['webspace:id:12', 'v=spf1 -all'] });
  });

  test('are given however many and long they are: over TCP when they do not fit', async () => {
    const txt = ['webspace:id:12', ...Array.from({ length: 40 }, (_, i) => `${i}${'b'.repeat(400)}`)];
    say({ txt });
    const answer = await resolver(dns).ask(HOST, never);
    expect(answer.is === 'records' && [...answer.records].sort()).toEqual([...txt].sort());
  });

  test.each<[DnsName | undefined, object]>([
    [undefined, { is: 'no-such-name' }],
    [{ a: ['192.0.2.1'] }, { is: 'no-records' }],
    [{ fails: 'SERVFAIL' }, { is: 'unanswered', why: 'SERVFAIL' }],
    [{ fails: 'REFUSED' }, { is: 'unanswered', why: 'REFUSED' }],
    [{ fails: 'silence' }, { is: 'unanswered', why: 'time-out' }],
  ])('of a name that DNS knows as %j are %j', async (name, answer) => {
    say(name);
    expect(await resolver(dns).ask(HOST, never)).toEqual(answer);
  });

  test('are asked again each time: nothing is cached', async () => {
    const asked = resolver(dns);
    say({ txt: ['a'] });
    await asked.ask(HOST, never);
    say({ txt: ['b'] });
    expect(await asked.ask(HOST, never)).toEqual({ is: 'records', records: ['b'] });
  });

  test('come from the next resolver when one is silent', async () => {
    say({ txt: ['a'] });
    expect(await resolver(silent, dns).ask(HOST, never)).toEqual({ is: 'records', records: ['a'] });
  });

  test('are unknown when nobody listens at the resolver', async () => {
    const gone = await startDnsServer({ host: '127.0.0.1', port: 0, namesFile }, () => undefined);
    gone.close();
    expect(await resolver(gone).ask(HOST, never)).toMatchObject({ is: 'unanswered' });
  });

  test('are asked again when no answer comes, and not waited for for ever', async () => {
    unheard.length = 0;
    const begun = Date.now();
    expect(await resolver(silent).ask(HOST, never)).toEqual({ is: 'unanswered', why: 'time-out' });
    expect(unheard.length).toBeGreaterThanOrEqual(2);
    expect(Date.now() - begun).toBeLessThan(2_000);
  });

  test('are not waited for any longer when the asker goes', async () => {
    const leaving = new AbortController();
    const asked = resolver(silent).ask(HOST, leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    await expect(resolver(dns).ask(HOST, leaving.signal)).rejects.toThrow('gone');
  });
});
