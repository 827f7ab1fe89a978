import { describe, expect, test } from '@jest/globals';
import { kubelanConfigSchema } from '#libs/config/kubelan.js';
import { originalAnswers } from './answers.js';
import { BEFORE, problemsOf, type State } from './state.js';

const well: State = { ...BEFORE, syncedAtMs: 1_000, interfaceUp: true, mtu: 1450, underlay: '10.0.0.1' };
const at = (nowMs: number) => ({ resyncMs: 30_000, nowMs });

describe('health', () => {
  test('is bad before the first sync, and good after it', () => {
    expect(Object.keys(problemsOf(BEFORE, at(0)))).toEqual(['interface', 'sync']);
    expect(problemsOf(well, at(2_000))).toEqual({});
  });

  test.each([
    ['the interface is down', { interfaceUp: false }, 2_000, 'interface'],
    ['a namespace was not read', { unread: ['kube-system'] }, 2_000, 'services'],
    ['the last look failed', { problem: 'no' }, 2_000, 'problem'],
    ['nobody has looked for long', {}, 92_000, 'sync'],
  ])('is bad when %s', (_, change, nowMs, part) => {
    expect(Object.keys(problemsOf({ ...well, ...change }, at(nowMs)))).toEqual([part]);
  });
});

describe("row 65: the original's answers", () => {
  const config = kubelanConfigSchema.parse({ lan: { services: ['lxd8s'], vni: 7331 }, listen: '[::]:8181', hooks: { up: ['a', 'b'] } });
  const answers = (state: State, problems: Record<string, string> = {}) =>
    originalAnswers(config, { state: () => state, problems: () => problems });

  test('/health is 204 without content, or 500 with the reasons', () => {
    expect(answers(well)('/health')).toEqual({ status: 204, body: undefined });
    expect(answers(well, { sync: 'no' })('/health')).toEqual({ status: 500, body: { reasons: { sync: 'no' } } });
  });

  test('/config has the names of its fields, and the MTU in force', () => {
    expect(answers(well)('/config')?.body).toEqual({
      LogLevel: 'info',
      HTTPAddress: '[::]:8181',
      IP: '10.0.0.1',
      Namespace: 'webspaces',
      Services: ['lxd8s'],
      VXLAN: { Interface: 'webspaces-lan', VNI: 7331, Port: 4789, MTU: 1450 },
      Hooks: { Up: ['a', 'b'], Change: [] },
    });
    expect(answers(BEFORE)('/config')?.body).toMatchObject({ IP: '', VXLAN: { MTU: -1 } });
    expect(answers(BEFORE)('/else')).toBeUndefined();
  });
});

describe('the configuration', () => {
  test.each([
    ['tunnels with the name of the interface', { wireguard: { interface: 'webspaces-lan' } }, 'wireguard.interface'],
    ['a bridge with the name of the interface', { bridge: 'webspaces-lan' }, 'bridge'],
    ['an address without a length', { addresses: ['172.24.0.1'] }, 'addresses.0'],
    ['an underlay that is no address', { underlay: { address: 'eth0' } }, 'underlay.address'],
  ])('refuses %s', (_, content, path) => {
    expect(kubelanConfigSchema.safeParse(content).error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
