import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Outside the checkout and outside what `npm run down` removes; `npm run down -- --all` removes it too. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['WEBSPACES_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'webspaces');
}

/** Fills a folder beside its place and moves it there whole: a broken-off install leaves nothing that looks installed. */
export async function installAtomically(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const temporary = mkdtempSync(`${target}.new-`);
  try {
    await fill(temporary);
    rmSync(target, { recursive: true, force: true });
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
