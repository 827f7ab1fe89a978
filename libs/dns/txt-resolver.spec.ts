import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DnsDouble, type DnsReply } from '#libs/testing/dns-double.js';
import { TxtResolver } from './txt-resolver.js';

const HOST = 'shop.example.com';
const never = new AbortController().signal;

let dns: DnsDouble;
let silent: DnsDouble;
beforeAll(async () => {
  dns = await DnsDouble.start();
  silent = await DnsDouble.start();
  silent.replies.set(HOST, 'silent');
});
afterAll(async () => {
  await Promise.all([dns.close(), silent.close()]);
});

const resolver = (...resolvers: string[]) => new TxtResolver({ resolvers, timeoutMs: 200, tries: 2 });

describe('the TXT records of a name', () => {
  test('are given whole, their strings joined', async () => {
    dns.replies.set(HOST, { txt: ['webspace:id:12', ['v=spf1 ', '-all']] });
    expect(await resolver(dns.address).ask(HOST, never)).toEqual({ is: 'records', records: ['webspace:id:12', 'v=spf1 -all'] });
  });

  test.each<[DnsReply, object]>([
    ['nxdomain', { is: 'no-such-name' }],
    ['empty', { is: 'no-records' }],
    ['servfail', { is: 'unanswered', why: 'SERVFAIL' }],
    ['refused', { is: 'unanswered', why: 'REFUSED' }],
    ['garbage', { is: 'unanswered' }],
    ['silent', { is: 'unanswered', why: 'time-out' }],
  ])('told by %j are %j', async (reply, answer) => {
    dns.replies.set(HOST, reply);
    expect(await resolver(dns.address).ask(HOST, never)).toMatchObject(answer);
  });

  test('are asked again each time: nothing is cached', async () => {
    dns.replies.set(HOST, { txt: ['a'] });
    const asked = resolver(dns.address);
    await asked.ask(HOST, never);
    dns.replies.set(HOST, { txt: ['b'] });
    expect(await asked.ask(HOST, never)).toEqual({ is: 'records', records: ['b'] });
  });

  test('come from the next resolver when one is silent', async () => {
    dns.replies.set(HOST, { txt: ['a'] });
    expect(await resolver(silent.address, dns.address).ask(HOST, never)).toEqual({ is: 'records', records: ['a'] });
  });

  test('are unknown when nobody listens at the resolver', async () => {
    const gone = await DnsDouble.start();
    const { address } = gone;
    await gone.close();
    expect(await resolver(address).ask(HOST, never)).toMatchObject({ is: 'unanswered' });
  });

  test('are waited for no longer than time-out times tries', async () => {
    const begun = Date.now();
    expect(await resolver(silent.address).ask(HOST, never)).toEqual({ is: 'unanswered', why: 'time-out' });
    expect(silent.questions.length).toBeGreaterThanOrEqual(2);
    expect(Date.now() - begun).toBeLessThan(2_000);
  });

  test('are not waited for any longer when the asker goes', async () => {
    const leaving = new AbortController();
    const asked = resolver(silent.address).ask(HOST, leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    await expect(resolver(dns.address).ask(HOST, leaving.signal)).rejects.toThrow('gone');
  });
});
