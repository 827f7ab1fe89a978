import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { LxdClient } from '#libs/lxd/client.js';
import { createLxdClient } from '#libs/lxd/create-client.js';
import { type LxdDouble, startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { editFile, findFile } from './edit-file.js';

const PATH = '/etc/shadow';
const COPY = '/etc/.webspaces-shadow';
const { signal } = new AbortController();
let double: LxdDouble;
let lxd: LxdClient;

beforeAll(async () => {
  double = await startLxdDouble();
  lxd = createLxdClient({ socket: double.socket });
});
afterAll(async () => {
  await lxd.close();
  await double.close();
});

const put = (instance: string, path: string, content: string) =>
  lxd.files.put(instance, path, { content, uid: 0, gid: 42, mode: 0o640 }, { signal });
const contentOf = async (instance: string, path: string) => (await findFile(lxd, instance, path, signal))?.content.toString();

async function edit(instance: string, retry: boolean): Promise<void> {
  const found = await findFile(lxd, instance, PATH, signal);
  if (!found) throw new Error('no file');
  await editFile(lxd, { instance, path: PATH, found, retry }, (content) => Buffer.from(content.toString().replace('old', 'new')), signal);
}

async function instanceWith(name: string, files: Record<string, string>): Promise<string> {
  double.addInstance(name, { image: 'hello', status: 'Stopped' });
  if (!(await findFile(lxd, name, '/etc', signal))) await lxd.files.mkdir(name, '/etc', {}, { signal });
  for (const [path, content] of Object.entries(files)) await put(name, path, content);
  return name;
}

describe('editing a file', () => {
  test('keeps owner and mode, and leaves no copy', async () => {
    const name = await instanceWith('ws-a', { [PATH]: 'root old\nothers\n' });
    await edit(name, false);
    expect(await findFile(lxd, name, PATH, signal)).toMatchObject({ uid: 0, gid: 42, mode: 0o640 });
    expect(await contentOf(name, PATH)).toBe('root new\nothers\n');
    expect(await contentOf(name, COPY)).toBeUndefined();
  });

  test('writes nothing when nothing changes', async () => {
    const name = await instanceWith('ws-b', { [PATH]: 'root new\n' });
    const before = double.requests.length;
    await edit(name, false);
    expect(double.requests.slice(before).filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test.each([
    ['before the file was touched', 'root old\nothers\n', undefined],
    ['while the copy was written', 'root old\nothers\n', 'root old\nothe'],
    ['after the copy', 'root old\nothers\n', 'root old\nothers\n\n# This copy is whole.\n'],
    ['while the file was written', 'root n', 'root old\nothers\n\n# This copy is whole.\n'],
    ['when the file was empty', '', 'root old\nothers\n\n# This copy is whole.\n'],
    ['before the copy was removed', 'root new\nothers\n', 'root old\nothers\n\n# This copy is whole.\n'],
  ])('is right after a crash %s', async (when, file, copy) => {
    const name = await instanceWith(`ws-${when.replaceAll(' ', '-')}`, { [PATH]: file, ...(copy === undefined ? {} : { [COPY]: copy }) });
    await edit(name, true);
    expect(await contentOf(name, PATH)).toBe('root new\nothers\n');
    expect(await contentOf(name, COPY)).toBeUndefined();
  });
});
