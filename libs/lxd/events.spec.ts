import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import type { EventSubscription, LxdClient } from './client.js';
import { createLxdClient } from './create-client.js';

let double: LxdDouble;
let client: LxdClient;
let stream: EventSubscription;
let told: string[];

beforeEach(async () => {
  told = [];
  double = await startLxdDouble();
  client = createLxdClient({
    socket: double.socket,
    eventTimes: { backoffMinMs: 10, backoffMaxMs: 50, idleMs: 100, pongMs: 100, registeredMs: 50 },
  });
});
afterEach(async () => {
  stream.close();
  await client.close();
  await double.close();
});

function listen(): void {
  stream = client.events(['lifecycle'], {
    onConnected: () => told.push('connected'),
    onDisconnected: (reason) => told.push(`disconnected: ${reason}`),
    onEvent: ({ metadata }) => told.push(String(metadata['action'])),
  });
}

const countOf = (word: string) => told.filter((each) => each.startsWith(word)).length;
const until = (word: string, times: number) => eventually(() => (countOf(word) >= times ? true : undefined));

test('a cut stream is told and connects again, each time saying so before the next event', async () => {
  listen();
  await until('connected', 1);
  for (let round = 1; round <= 5; round += 1) {
    double.cutEvents();
    await until('connected', round + 1);
    double.addInstance(`after-${round}`);
    await until('instance-created', round);
  }
  expect(told.filter((each) => !each.startsWith('disconnected'))).toEqual([
    'connected',
    ...Array(5).fill(['connected', 'instance-created']).flat(),
  ]);
  expect(countOf('disconnected')).toBe(5);
});

test('a stream that fell silent is taken for lost', async () => {
  listen();
  await until('connected', 1);
  double.faults.muteEvents = true;
  await until('disconnected', 1);
  double.faults.muteEvents = false;
  await until('connected', 2);
});

test('a quiet but living stream stays', async () => {
  listen();
  await until('connected', 1);
  await eventually(() => (double.answeredPings >= 4 ? true : undefined));
  expect(told).toEqual(['connected']);
});

test('while LXD is away the same reason is told once', async () => {
  double.faults.answer(503, 'not ready', { match: /events/ });
  listen();
  await until('disconnected', 1);
  await eventually(() => (double.requests.length > 5 ? true : undefined));
  expect(countOf('disconnected')).toBe(1);
  double.faults.clear();
  await until('connected', 1);
});

test('a closed stream is over: no call, no connection, no timer', async () => {
  listen();
  await until('connected', 1);
  stream.close();
  const before = [...told];
  await eventually(() => (double.listeners === 0 ? true : undefined));
  // What another one does three times over, the closed one had the time for.
  const others: string[] = [];
  const other = client.events(['lifecycle'], {
    onConnected: () => others.push('connected'),
    onDisconnected: () => undefined,
    onEvent: () => undefined,
  });
  for (let round = 1; round <= 4; round += 1) {
    await eventually(() => (others.length === round ? true : undefined));
    double.addInstance(`later-${round}`);
    if (round < 4) double.cutEvents();
  }
  expect(told).toEqual(before);
  expect(double.listeners).toBe(1);
  other.close();
});
