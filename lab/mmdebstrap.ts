import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './exec.js';

export interface DebianTree {
  readonly variant: string;
  readonly suite: string;
  readonly architecture?: string;
  /** The mirror; Debian's own with its updates unless given. */
  readonly url?: string;
  /** Packages beyond those of the variant. */
  readonly include?: readonly string[];
  /** A shell command that is run with the new root as "$1" before the tree is done. */
  readonly customize?: string;
}

/** A root file system of Debian's packages, as debootstrap makes it and in a third of its time; Debian's package of the tool is not installed. */
export async function debianTree(root: string, { variant, suite, architecture, url, include, customize }: DebianTree): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-mmdebstrap-'));
  try {
    await run('apt-get', ['download', 'mmdebstrap'], { cwd: work });
    await run('sh', ['-c', 'dpkg-deb -x mmdebstrap_*.deb tool'], { cwd: work });
    const options = ['--mode=root', `--variant=${variant}`, '--format=directory'];
    if (architecture) options.push(`--architectures=${architecture}`);
    if (include) options.push(`--include=${include.join(',')}`);
    if (customize) options.push(`--customize-hook=${customize}`);
    const place = [suite, root, ...(url ? [url] : [])];
    await run('perl', [join(work, 'tool/usr/bin/mmdebstrap'), ...options, ...place], { timeoutMs: 15 * 60_000 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
