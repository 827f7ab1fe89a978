import { expect, test } from '@jest/globals';
import { eventually } from '#libs/testing/eventually.js';
import type { LxdEvent } from '../types.js';
import type { Fixture } from './fixture.js';

export function eventCases(fixture: Fixture): void {
  test('the life of an instance is told as events, in order', async () => {
    const name = fixture.newName();
    const actions: unknown[] = [];
    let connected = 0;
    const onEvent = ({ metadata }: LxdEvent): void => {
      if (metadata['source'] === `/1.0/instances/${name}`) actions.push(metadata['action']);
    };
    const onConnected = (): void => {
      connected += 1;
    };
    const stream = fixture.client.events(['lifecycle'], { onEvent, onConnected, onDisconnected: () => undefined });
    await eventually(() => connected || undefined);
    await fixture.make(name);
    await fixture.change(name, 'start');
    await fixture.change(name, 'freeze');
    await fixture.change(name, 'unfreeze');
    await fixture.change(name, 'restart', true);
    await fixture.change(name, 'stop');
    await fixture.change(name, 'start');
    await fixture.change(name, 'stop', true);
    await fixture.remove(name);
    await eventually(() => (actions.at(-1) === 'instance-deleted' ? true : undefined));
    stream.close();
    const expected = ['created', 'started', 'paused', 'resumed', 'restarted', 'shutdown', 'started', 'stopped', 'deleted'];
    expect(actions).toEqual(expected.map((action) => `instance-${action}`));
    expect(connected).toBe(1);
  }, 40_000);

  test('operations are events too, with the id that can be adopted', async () => {
    const ids = new Set<unknown>();
    let connected = false;
    const stream = fixture.client.events(['operation'], {
      onEvent: ({ metadata }) => ids.add(metadata['id']),
      onConnected: () => {
        connected = true;
      },
      onDisconnected: () => undefined,
    });
    await eventually(() => connected || undefined);
    const operation = await fixture.begin(fixture.newName());
    await operation.wait();
    await eventually(() => ids.has(operation.id) || undefined);
    stream.close();
  });
}
