import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../hash.js';
import { debianTree } from '../mmdebstrap.js';
import { cacheFolder, installAtomically } from '../tools/cache.js';

const FORMAT = '1';
const SUITE = 'bookworm';
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'];
const MODULES = 'usr/lib/x86_64-linux-gnu/qemu';
/** As Debian's QEMU finds its files under /usr/share. */
const FIRMWARE = ['usr/share/qemu', 'usr/share/seabios'];

/** A folder with Debian's QEMU, not installed: `qemu-system-x86_64` in it runs wherever the folder is seen under its own path. Made in half a minute. */
export async function qemuFolder(say: (text: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `vm-qemu-${sha256(FORMAT, SUITE).slice(0, 12)}`);
  if (!existsSync(folder)) {
    say('QEMU from Debian packages, about half a minute');
    await installAtomically(folder, async (target) => {
      const root = join(target, 'root');
      mkdirSync(root);
      await debianTree(root, { variant: 'extract', suite: SUITE, include: ['qemu-system-x86'] });
      writeFileSync(join(target, 'qemu-system-x86_64'), starter(join(folder, 'root')), { mode: 0o755 });
    });
  }
  return folder;
}

function starter(root: string): string {
  const at = (path: string) => join(root, path);
  const libraries = LIBRARIES.map(at).join(':');
  const firmware = FIRMWARE.map((path) => `-L '${at(path)}'`).join(' ');
  const start = `exec '${at('lib64/ld-linux-x86-64.so.2')}' --library-path '${libraries}' '${at('usr/bin/qemu-system-x86_64')}'`;
  return `#!/bin/sh\nexport QEMU_MODULE_DIR='${at(MODULES)}'\n${start} ${firmware} "$@"\n`;
}
