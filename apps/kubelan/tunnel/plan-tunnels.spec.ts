import { describe, expect, test } from '@jest/globals';
import { innerOf, newKeyPair, publicKeyOf } from './keys.js';
import { parseDump, planTunnels } from './plan-tunnels.js';

const [ONE, TWO, OLD] = ['one=', 'two=', 'old='];
const peer = (publicKey: string, endpoint: string) => ({ publicKey, endpoint, inner: innerOf(endpoint) });
const dump = (...peers: readonly { publicKey: string; endpoint: string; inner: string }[]) =>
  parseDump(
    [
      'private=\tpublic=\t51820\toff',
      ...peers.map(({ publicKey, endpoint, inner }) => `${publicKey}\t(none)\t${endpoint}:51820\t${inner}/128\t0\t0\t0\t25`),
      '',
    ].join('\n'),
  );
const plan = (wanted: readonly ReturnType<typeof peer>[], state: ReturnType<typeof dump>, others: 'stay' | 'go' = 'go') =>
  planTunnels(wanted, state, { port: 51820, others }).join(' ');

describe('the plan of tunnels', () => {
  test('is empty when they are in step', () => {
    expect(plan([peer(ONE, '10.0.0.2')], dump(peer(ONE, '10.0.0.2')))).toBe('');
  });

  test('adds one that is missing and removes one that is no peer, and touches no other', () => {
    const state = dump(peer(ONE, '10.0.0.2'), peer(OLD, '10.0.0.9'));
    expect(plan([peer(ONE, '10.0.0.2'), peer(TWO, 'fd00::3')], state)).toBe(
      `peer old= remove peer two= endpoint [fd00::3]:51820 persistent-keepalive 25 allowed-ips ${innerOf('fd00::3')}/128`,
    );
  });

  test('leaves others while not everything was read, but for the old key of a peer that has a new one', () => {
    const state = dump(peer(OLD, '10.0.0.2'), peer(TWO, '10.0.0.3'));
    expect(plan([peer(ONE, '10.0.0.2')], state, 'stay')).toBe(
      `peer old= remove peer one= endpoint 10.0.0.2:51820 persistent-keepalive 25 allowed-ips ${innerOf('10.0.0.2')}/128`,
    );
  });

  test('knows an interface without a key, and endpoints of both families', () => {
    expect(parseDump('(none)\t(none)\t0\toff\n')).toEqual({ privateKey: undefined, port: 0, peers: [] });
    expect(dump({ publicKey: ONE, endpoint: '[fd00::2]', inner: 'fd57::1' }).peers[0]).toEqual({
      publicKey: ONE,
      endpoint: 'fd00::2',
      inner: 'fd57::1',
    });
  });
});

describe('keys', () => {
  test('are a pair, other ones each time, of 32 bytes', () => {
    const [one, other] = [newKeyPair(), newKeyPair()];
    expect(publicKeyOf(one.privateKey)).toBe(one.publicKey);
    expect(one.privateKey).not.toBe(other.privateKey);
    expect(Buffer.from(one.publicKey, 'base64')).toHaveLength(32);
  });

  test('the inner address is of the prefix, the same for the same member only', () => {
    expect(innerOf('10.0.0.2')).toMatch(/^fd57:6c61:6e:/);
    expect(innerOf('10.0.0.2')).toBe(innerOf('10.0.0.2'));
    expect(innerOf('10.0.0.2')).not.toBe(innerOf('10.0.0.3'));
  });
});
