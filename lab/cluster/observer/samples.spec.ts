import { describe, expect, test } from '@jest/globals';
import { type MemberState, observationOf, type Sample } from './samples.js';

const MEMBERS = ['lxd-0', 'lxd-1', 'lxd-2'];
const sample = (at: number, states: readonly MemberState[], more: Partial<Sample> = {}): Sample => ({
  at,
  members: Object.fromEntries(MEMBERS.map((name, i) => [name, states[i] ?? 'serving'])),
  voters: MEMBERS,
  leader: 'lxd-0',
  kubernetes: true,
  web: {},
  ...more,
});

describe('what an observer sums up', () => {
  test('counts members that are down at the same time, waiting ones too', () => {
    const samples = [
      sample(0, []),
      sample(100, ['serving', 'waiting', 'silent']),
      sample(300, ['serving', 'serving', 'silent']),
      sample(400, []),
    ];
    const seen = observationOf(samples, {});
    expect(seen.maxDownAtOnce).toBe(2);
    expect(seen.memberDownMs).toEqual({ 'lxd-0': 0, 'lxd-1': 200, 'lxd-2': 300 });
    expect(seen.degradedMs).toBe(300);
    expect(seen.apiOutageMs).toBe(0);
  });

  test('a waiting member still votes; the quorum is lost when most voters are silent', () => {
    const waiting = observationOf([sample(0, ['waiting', 'waiting', 'waiting']), sample(500, [])], {});
    expect([waiting.quorumLost, waiting.apiOutageMs]).toEqual([0, 500]);
    const samples = [sample(0, ['silent', 'silent']), sample(100, ['silent']), sample(200, ['silent', 'silent']), sample(300, [])];
    const lost = observationOf(samples, {});
    expect([lost.quorumLost, lost.quorumLostMs]).toEqual([2, 200]);
  });

  test('members without a vote do not count for the quorum', () => {
    expect(observationOf([sample(0, ['serving', 'silent', 'silent'], { voters: ['lxd-0'] })], {}).quorumLost).toBe(0);
  });

  test('tells a container that was down with its member from one that was down alone', () => {
    const web = { 'web-0': false };
    const samples = [sample(0, ['silent'], { web }), sample(100, [], { web }), sample(150, [], { web: { 'web-0': true } })];
    const seen = observationOf(samples, { 'web-0': 'lxd-0' });
    expect([seen.webDownMs['web-0'], seen.webDownMemberUpMs['web-0']]).toEqual([150, 50]);
  });
});
