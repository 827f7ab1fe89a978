import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { askPeers } from './cluster/peers.js';
import type { MemberState } from './state.js';
import { type StateServer, startStateServer } from './state-server.js';

/** Of this machine, so that a caller is none of the pod's. */
const OWN = Object.values(networkInterfaces())
  .flatMap((addresses = []) => addresses)
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

let server: StateServer | undefined;
afterEach(() => server?.close());

async function start(clustered: boolean | undefined): Promise<StateServer> {
  const state = { member: 'lxd-1', phase: 'serving', why: 'a secret of the pod', ...(clustered === undefined ? {} : { clustered }) };
  const listen = { host: '0.0.0.0', port: 0 };
  server = await startStateServer({ listen, stateFor: 'pod' }, () => state as MemberState, new Registry());
  return server;
}

// A machine without a network has no address but the loopback's.
const from = OWN ?? '127.0.0.1';

describe('another member', () => {
  test.each([
    [true, { is: 'clustered', member: 'lxd-1' }],
    [false, { is: 'alone', member: 'lxd-1' }],
    [undefined, { is: 'silent', why: 'lxd-1 does not know yet' }],
  ])('is told whether this one is in a cluster (%s), though it may not read the state', async (clustered, said) => {
    const { port } = await start(clustered);
    expect(await askPeers([from], port, new AbortController().signal)).toEqual([{ at: from, ...said }]);
    const answer = await fetch(`http://${from}:${port}/peer`);
    expect(Object.keys((await answer.json()) as object)).toEqual(clustered === undefined ? ['member'] : ['member', 'clustered']);
    if (OWN) expect((await fetch(`http://${OWN}:${port}/state`)).status).toBe(403);
  });
});
