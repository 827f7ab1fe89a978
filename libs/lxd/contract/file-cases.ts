import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { type Fixture, failureOf } from './fixture.js';

export function fileCases(fixture: Fixture): void {
  test('a file goes in and comes out with its owner and mode, also of a stopped instance', async () => {
    const { files } = fixture.client;
    const stopped = await fixture.make();
    for (const name of [stopped, fixture.shared]) {
      await files.put(name, '/root/a b.txt', { content: 'secret: grün', uid: 1, gid: 2, mode: 0o640 });
      const file = await files.get(name, '/root/a b.txt');
      expect(file).toMatchObject({ type: 'file', uid: 1, gid: 2, mode: 0o640, entries: [] });
      expect(file.content.toString()).toBe('secret: grün');
      await files.put(name, '/root/a b.txt', { content: 'short' });
      expect((await files.get(name, '/root/a b.txt')).content.toString()).toBe('short');
      await files.delete(name, '/root/a b.txt');
      expect((await failureOf(files.get(name, '/root/a b.txt'))).code).toBe('NOT_FOUND');
    }
  });

  test('a stream and an empty file go in as they are', async () => {
    const { files } = fixture.client;
    const chunks = Array.from({ length: 40 }, (_none, index) => Buffer.alloc(50_000, index));
    await files.put(fixture.shared, '/root/big', { content: Readable.from(chunks) });
    expect((await files.get(fixture.shared, '/root/big')).content.equals(Buffer.concat(chunks))).toBe(true);
    await files.put(fixture.shared, '/root/empty', { content: '' });
    expect((await files.get(fixture.shared, '/root/empty')).content).toHaveLength(0);
  });

  test('a folder is made, listed, and deleted when empty', async () => {
    const { files } = fixture.client;
    await files.mkdir(fixture.shared, '/root/d', { mode: 0o700 });
    await files.put(fixture.shared, '/root/d/f', { content: 'x' });
    expect(await files.get(fixture.shared, '/root/d')).toMatchObject({ type: 'directory', entries: ['f'], mode: 0o700 });
    expect(await failureOf(files.delete(fixture.shared, '/root/d'))).toMatchObject({ code: 'CONFLICT', details: { reason: 'not-empty' } });
    await files.delete(fixture.shared, '/root/d/f');
    await files.delete(fixture.shared, '/root/d');
  });

  test('a missing file, folder or instance is NOT_FOUND', async () => {
    const { files } = fixture.client;
    expect((await failureOf(files.get(fixture.shared, '/root/none'))).code).toBe('NOT_FOUND');
    expect((await failureOf(files.delete(fixture.shared, '/root/none'))).code).toBe('NOT_FOUND');
    expect((await failureOf(files.put(fixture.shared, '/no/such/f', { content: 'x' }))).code).toBe('NOT_FOUND');
    expect((await failureOf(files.get('nobody', '/etc'))).code).toBe('NOT_FOUND');
  });
}
