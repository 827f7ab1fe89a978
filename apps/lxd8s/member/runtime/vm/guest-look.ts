import { PlatformError } from '#libs/errors/platform-error.js';
import type { Memory } from '../../memory/measure.js';
import { parseMeminfo } from '../../memory/measure.js';
import { instanceOf } from '../processes.js';
import type { RunningInstance } from '../runtime.js';

/** What the pod's process, and upgrades in its place, read of LXD's folder. */
export const FILES = ['cluster.crt', 'cluster.key', 'server.crt', 'server.key'] as const;
const MEMINFO = '/proc/meminfo';
/** Before each file its name, as `==> name <==`; one that is not there is left out. */
export const READ_FILES = ['/usr/bin/tail', '-v', '-n', '+1', ...FILES.map((name) => `/var/lib/lxd/${name}`), MEMINFO];
export const LIST_INSTANCES = ['/usr/lib/lxd8s/instances'];

export interface Seen {
  /** Those of {@link FILES} that are there, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly memory: Memory;
}

/** What {@link READ_FILES} prints. @throws PROTOCOL when the machine's memory is not in it. */
export function parseFiles(printed: string): Seen {
  const parts = printed.split(/^==> (.+) <==\n/m).slice(1);
  const texts = new Map<string, string>();
  // A blank line is before each name but the first.
  for (let at = 0; at + 1 < parts.length; at += 2) texts.set(parts[at] ?? '', (parts[at + 1] ?? '').replace(/\n\n$/, '\n'));
  const files = FILES.flatMap((name) => {
    const text = texts.get(`/var/lib/lxd/${name}`);
    return text ? [[name, text] as const] : [];
  });
  const memory = parseMeminfo(texts.get(MEMINFO) ?? '');
  if (memory.limitBytes === 0) throw new PlatformError('PROTOCOL', `${MEMINFO} of the machine cannot be read.`);
  return { files: Object.fromEntries(files), memory };
}

/** What {@link LIST_INSTANCES} prints: the command line of a monitor and its children, in each line. */
export function parseInstances(printed: string): RunningInstance[] {
  return printed.split('\n').flatMap((line) => {
    const [commandLine = '', children = ''] = line.split('\t');
    return instanceOf(commandLine, children);
  });
}

/** What `deploy/vm/guest/run-lxd` says of its run among LXD's lines. */
export type OfRun = { readonly pid: number } | { readonly ended: number };

export function parseRunLine(line: string): OfRun | undefined {
  const [, what, number] = /^@lxd8s (pid|ended) (\d+)$/.exec(line) ?? [];
  if (what === undefined) return undefined;
  return what === 'pid' ? { pid: Number(number) } : { ended: Number(number) };
}
