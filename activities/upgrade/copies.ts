import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import type { Acting } from '#libs/contracts/activities.js';
import type { OfPlan, SavedCopies } from '#libs/contracts/upgrade-activities.js';
import { sortedByName } from '#libs/domain/upgrade/wording.js';
import { isPlatformError, messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from '#libs/lxd/answer.js';
import type { Call } from '../shared/guard.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { manifestsOf } from './manifests.js';
import { observe } from './observe.js';

const DUMP_SECONDS = 300;
const TAR_MS = 3_600_000;
/** `file changed as we read it`: LXD writes on; what it had closed before is whole. */
const TAR_CHANGED = 1;
const dump = z.object({ text: z.string() });

/**
 * Copies outside the members: the database of all as SQL, the folder of each member's database as it lies there, and the manifests. Whole files
 * only: each gets its name when it is complete, and the list of sums comes last. A second run writes them again.
 */
export function copiesSteps(deps: UpgradeDeps) {
  const { clusters, locks, copiesFolder } = deps;

  async function databases(cluster: Cluster, call: Call, pods: readonly Pod[], into: Folder): Promise<void> {
    const serving = pods.filter(({ answers }) => answers === 'serving');
    const [first] = serving;
    if (first) await into.write('global.sql', await dumpOf(cluster, first.pod, 'global', call));
    for (const { member, pod, answers } of pods) {
      try {
        if (answers === 'serving') await into.write(`${member}.local.sql`, await dumpOf(cluster, pod, 'local', call));
        await into.stream(`${member}.database.tar`, (output) => tar(cluster, call, { pod, output }));
      } catch (error) {
        if (!isPlatformError(error) || call.signal.aborted) throw error;
        into.missing.push(`${member}: ${messageOf(error)}`);
      }
    }
  }

  return {
    async saveCopies(call: Call, acting: Acting, { cluster: name }: OfPlan, members: readonly string[]): Promise<SavedCopies> {
      await locks.assertHeld(acting, call.me, call.signal);
      const cluster = clusters.get(name);
      const { observed, known } = await observe(deps, { cluster: name, operationId: acting.operationId, signal: call.signal });
      if (known) await cluster.remembered.keepMembers(known, call.signal);
      const folder = join(copiesFolder, name, acting.operationId);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const into = new Folder(folder, (file) => call.waiting({ waitingFor: `${file} to be written to ${folder}` }));
      await into.write('manifests.json', `${JSON.stringify(await manifestsOf(cluster, call.signal), undefined, 2)}\n`);
      const chosen = sortedByName(observed.members, (member) => member.name).filter((member) => members.includes(member.name));
      const pods = chosen.map(({ name: member, pod, answers }) => ({ member, pod, answers }));
      await databases(cluster, call, pods, into);
      if (!into.files.some(({ name: file }) => file === 'global.sql' || file.endsWith('.tar'))) {
        throw new PlatformError('OPERATION_FAILED', `No database could be copied. ${into.missing.join(' ')}`);
      }
      await into.write('missing.txt', into.missing.map((line) => `${line}\n`).join(''));
      await into.write('SHA256SUMS', into.files.map(({ name: file, sha256 }) => `${sha256}  ${file}\n`).join(''));
      return { place: folder, files: into.files };
    },
  };
}

interface Pod {
  readonly member: string;
  readonly pod: string;
  readonly answers: string;
}

async function dumpOf({ lxd }: Cluster, pod: string, database: 'global' | 'local', { signal }: Call): Promise<string> {
  const [answer] = await lxd.ask(pod, [{ path: `/internal/sql?database=${database}` }], { signal, seconds: DUMP_SECONDS });
  return parseMetadata(answer, dump, `dump the ${database} database`).text;
}

async function tar({ kube, config }: Cluster, { signal }: Call, { pod, output }: Tar): Promise<void> {
  const command = ['tar', '-C', config.lxdDir, '-cf', '-', 'database'];
  const { exitCode, stderr } = await kube.exec(pod, { container: config.container, command, timeoutMs: TAR_MS, output }, { signal });
  if (exitCode === 0 || exitCode === TAR_CHANGED) return;
  throw new PlatformError('OPERATION_FAILED', `tar in ${pod} ended with exit code ${exitCode}: ${stderr.trim()}`);
}

interface Tar {
  readonly pod: string;
  readonly output: ReturnType<typeof createWriteStream>;
}

/** Files for their owner alone, with their sums. */
class Folder {
  readonly files: SavedCopies['files'][number][] = [];
  readonly missing: string[] = [];

  constructor(
    readonly path: string,
    readonly begins: (file: string) => void,
  ) {}

  async write(name: string, content: string): Promise<void> {
    this.begins(name);
    await writeFile(this.#part(name), content, { mode: 0o600 });
    await this.#complete(name);
  }

  async stream(name: string, fill: (output: ReturnType<typeof createWriteStream>) => Promise<void>): Promise<void> {
    this.begins(name);
    const output = createWriteStream(this.#part(name), { mode: 0o600 });
    try {
      await fill(output);
    } finally {
      output.end();
      await finished(output);
    }
    await this.#complete(name);
  }

  async #complete(name: string): Promise<void> {
    const path = join(this.path, name);
    await chmod(this.#part(name), 0o600);
    await rename(this.#part(name), path);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    this.files.push({ name, sizeBytes: (await stat(path)).size, sha256: hash.digest('hex') });
  }

  #part(name: string): string {
    return join(this.path, `${name}.part`);
  }
}
