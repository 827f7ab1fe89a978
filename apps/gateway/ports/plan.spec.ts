import { describe, expect, test } from '@jest/globals';
import type { Phase } from '#libs/contracts/webspaces-api.js';
import type { WebspaceView } from '../directory.js';
import { difference, type Entry, servedBy } from './plan.js';

const view = (phase: Phase, more: Partial<WebspaceView> = {}): WebspaceView => ({
  name: 'ws-u1',
  uid: 'u1',
  owner: '1',
  hosts: [],
  http: { port: 80, startupDelaySeconds: 3, sniPassthrough: false },
  ports: [
    { protocol: 'tcp', external: 50_000, internal: 22 },
    { protocol: 'udp', external: 50_000, internal: 53 },
  ],
  phase,
  suspended: false,
  address: '10.0.0.5',
  ...more,
});
const nothing = new Map<string, Entry>();
const served = (one: WebspaceView | undefined, now = nothing, forwarding: 'kernel' | 'userspace' = 'kernel') => {
  const { kernel, listeners } = servedBy(one, forwarding, now);
  return { kernel: [...kernel.keys()], listeners: listeners.map(({ protocol }) => protocol) };
};

describe('the forwards of a webspace', () => {
  test('are in the kernel while it runs', () => {
    expect(served(view('running'))).toEqual({ kernel: ['tcp-50000', 'udp-50000'], listeners: [] });
  });

  test.each(['creating', 'stopped', 'starting', 'stopping', 'paused'] as const)('have listeners while it is %s', (phase) => {
    expect(served(view(phase))).toEqual({ kernel: [], listeners: ['tcp', 'udp'] });
  });

  test('stay where they are while nobody knows its state', () => {
    const now = new Map([['tcp-50000', { address: '10.0.0.5', internal: 22 }]]);
    expect(served(view('unknown'), now)).toEqual({ kernel: ['tcp-50000'], listeners: ['udp'] });
    const elsewhere = new Map([['tcp-50000', { address: '10.0.0.6', internal: 22 }]]);
    expect(served(view('unknown'), elsewhere)).toEqual({ kernel: [], listeners: ['tcp', 'udp'] });
  });

  test('are nowhere once it is suspended, being deleted or gone', () => {
    expect(served(view('running', { suspended: true }))).toEqual({ kernel: [], listeners: [] });
    expect(served(view('deleting'))).toEqual({ kernel: [], listeners: [] });
    expect(served(undefined)).toEqual({ kernel: [], listeners: [] });
  });

  test('have listeners without an address, in userspace, and for PROXY protocol', () => {
    expect(served(view('running', { address: undefined })).listeners).toEqual(['tcp', 'udp']);
    expect(served(view('running'), nothing, 'userspace').listeners).toEqual(['tcp', 'udp']);
    const ports = [{ protocol: 'tcp' as const, external: 50_001, internal: 80, proxyProtocol: true as const }];
    expect(served(view('running', { ports }))).toEqual({ kernel: [], listeners: ['tcp'] });
  });
});

test('a difference holds what has to change and nothing else; a port that moves leaves and comes', () => {
  const now = new Map([
    ['tcp-1', { address: '10.0.0.1', internal: 1 }],
    ['tcp-2', { address: '10.0.0.1', internal: 2 }],
    ['udp-3', { address: '10.0.0.1', internal: 3 }],
  ]);
  const wanted = new Map([
    ['tcp-1', { address: '10.0.0.1', internal: 1 }],
    ['tcp-2', { address: '10.0.0.2', internal: 2 }],
    ['tcp-4', { address: '10.0.0.2', internal: 4 }],
  ]);
  const { remove, add } = difference(now, wanted);
  expect([...remove.keys()]).toEqual(['tcp-2', 'udp-3']);
  expect([...add.keys()]).toEqual(['tcp-2', 'tcp-4']);
});
