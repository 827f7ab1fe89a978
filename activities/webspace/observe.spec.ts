import { describe, expect, it } from '@jest/globals';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import type { LxdInstance } from '#libs/lxd/types.js';
import { readInstance } from './observe.js';

const record = {
  schema: 1,
  uid: 'u-1',
  phase: 'ready',
  createdBy: 'op-1',
  owner: { id: '1', username: 'alice' },
  http: { port: 80, startupDelaySeconds: 3, sniPassthrough: false },
  domains: [],
  ports: [],
  network: { address: '10.77.128.1' },
  policy: { alwaysOn: false },
  image: { fingerprint: 'f' },
  createdAt: '2026-01-01T00:00:00.000Z',
};

function instance(statusCode: number, text?: string): LxdInstance {
  const config: Record<string, string> = text === undefined ? {} : { [RECORD_KEY]: text };
  return {
    name: 'ws-u1',
    status: statusCode === 112 ? 'Error' : 'Running',
    status_code: statusCode,
    type: 'container',
    location: 's2',
    created_at: '',
    last_used_at: '2026-01-01T00:00:00Z',
    profiles: [],
    config,
    devices: {},
    expanded_devices: {},
  };
}

describe('an instance as LXD gave it', () => {
  it('is a webspace in a phase when its record can be read', () => {
    expect(readInstance(instance(103, JSON.stringify(record)))).toMatchObject({ is: 'present', phase: 'running', record: { uid: 'u-1' } });
  });

  it('is somebody else’s when it is healthy and has no record', () => {
    expect(readInstance(instance(103))).toEqual({ is: 'not-a-webspace' });
  });

  it('is unknown, not absent, when its member is away and LXD shows no config', () => {
    expect(readInstance(instance(112))).toMatchObject({ is: 'unknown', reason: 'InstanceUnreadable' });
  });

  it('is unknown with the reason when its record is damaged', () => {
    const observed = readInstance(instance(103, 'garbage'));
    expect(observed).toMatchObject({ is: 'unknown', reason: 'RecordUnreadable' });
    expect(observed.is === 'unknown' && observed.message).toContain('not JSON');
  });
});
