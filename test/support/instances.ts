import type { Lab } from '#lab/harness.js';

/** The names of all instances of the lab's LXD. */
export async function instanceNames(lab: Lab): Promise<string[]> {
  const paths = await lab.stack.lxd.client.request<string[]>('GET', '/1.0/instances');
  return paths.map((path) => path.slice('/1.0/instances/'.length)).sort();
}

/** Remembers what LXD has now. What it gives throws when there is more: a test file leaves nothing that the next one would stumble over. */
export async function nothingMoreThanNow(lab: Lab): Promise<() => Promise<void>> {
  const before = new Set(await instanceNames(lab));
  return async () => {
    const left = (await instanceNames(lab)).filter((name) => !before.has(name));
    if (left.length > 0) throw new Error(`this test file left instances behind: ${left.join(', ')}`);
  };
}
