import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createLogger } from '#libs/logging/logger.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { leadAwayFromMembers } from './members-visitors.js';

let double: LxdDouble;
let lxd: LxdClient;
let done: string[];
let failing: string | undefined;
beforeEach(async () => {
  [done, failing] = [[], undefined];
  double = await startLxdDouble();
  lxd = createLxdClient({ socket: double.socket });
});
afterEach(async () => {
  await lxd.close();
  await double.close();
});

function webspace(name: string, location: string, status: 'Running' | 'Stopped' = 'Running', change: Partial<WebspaceRecord> = {}): void {
  const config = { [RECORD_KEY]: serialiseRecord({ ...exampleRecord(), ...change }) };
  double.addInstance(name, { status, location, config });
}

const lead = (...members: readonly string[]) => {
  const projection = {
    read: async () => ({}),
    routeToGateway: async (name: string) => {
      if (name === failing) throw new PlatformError('UNAVAILABLE', 'Kubernetes is away.');
      done.push(`${name} to the gateway`);
      return { hosts: ['a.example'], ports: 0 };
    },
  };
  const leadAway = { newVisitors: async (_call: Call, { name }: { readonly name: string }) => void done.push(`${name} without visitors`) };
  const log = createLogger({ name: 'spec', level: 'silent' });
  const deps = { lxd, projection, leadAway, platform: { instancePrefix: 'ws-' }, log } as unknown as Deps;
  return leadAwayFromMembers(deps)({ signal: new AbortController().signal, waiting: () => undefined } as unknown as Call, members);
};

describe('visitors of members that are replaced', () => {
  test('are led to the gateway from what runs on them, and from nothing else', async () => {
    webspace('ws-u1', 'lxd-0');
    webspace('ws-u2', 'lxd-1');
    webspace('ws-u3', 'lxd-0', 'Stopped');
    double.addInstance('database', { status: 'Running', location: 'lxd-0' });
    await lead('lxd-0');
    expect(done).toEqual(['ws-u1 to the gateway', 'ws-u1 without visitors']);
  });

  test('of one that fails stay, and all others are led away', async () => {
    webspace('ws-u1', 'lxd-0');
    webspace('ws-u2', 'lxd-0');
    failing = 'ws-u1';
    await lead('lxd-0', 'lxd-1');
    expect(done).toEqual(['ws-u2 to the gateway', 'ws-u2 without visitors']);
  });

  test('stay when LXD does not answer: what is replaced is replaced all the same', async () => {
    await double.close();
    await lead('lxd-0');
    expect(done).toEqual([]);
  });
});
