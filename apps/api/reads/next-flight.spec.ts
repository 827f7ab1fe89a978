import { describe, expect, test } from '@jest/globals';
import { NextFlight } from './next-flight.js';

/** A read that ends when told to. */
function controlled() {
  const ends: ((value: number) => void)[] = [];
  const fails: ((error: Error) => void)[] = [];
  const load = () =>
    new Promise<number>((resolve, reject) => {
      ends.push(resolve);
      fails.push(reject);
    });
  return { load, ends, fails };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('sharing reads', () => {
  test('lets everyone who comes during a read share the next one', async () => {
    const { load, ends } = controlled();
    const flights = new NextFlight<number>();
    const first = flights.read('a', load);
    const others = [flights.read('a', load), flights.read('a', load), flights.read('a', load)];
    expect(ends).toHaveLength(1);
    ends[0]?.(1);
    await expect(first).resolves.toBe(1);
    await turn();
    expect(ends).toHaveLength(2);
    ends[1]?.(2);
    await expect(Promise.all(others)).resolves.toEqual([2, 2, 2]);
  });

  test('never answers with a read that began before the call', async () => {
    let stored = 'old';
    const flights = new NextFlight<string>();
    const load = async () => {
      const seen = stored;
      await turn();
      return seen;
    };
    const before = flights.read('a', load);
    stored = 'new';
    await expect(flights.read('a', load)).resolves.toBe('new');
    await expect(before).resolves.toBe('old');
  });

  test('goes on after a read that failed, for those who waited and for later ones', async () => {
    const { load, ends, fails } = controlled();
    const flights = new NextFlight<number>();
    const first = flights.read('a', load);
    const second = flights.read('a', load);
    fails[0]?.(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    await turn();
    ends[1]?.(2);
    await expect(second).resolves.toBe(2);
    await turn();
    const third = flights.read('a', load);
    ends[2]?.(3);
    await expect(third).resolves.toBe(3);
  });

  test('keeps keys apart', async () => {
    const { load, ends } = controlled();
    const flights = new NextFlight<number>();
    const reads = [flights.read('a', load), flights.read('b', load)];
    expect(ends).toHaveLength(2);
    ends.forEach((end, at) => {
      end(at);
    });
    await expect(Promise.all(reads)).resolves.toEqual([0, 1]);
  });
});
