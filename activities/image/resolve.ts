import type { Acting } from '#libs/contracts/activities.js';
import { IMAGE_SOURCES, type ImportImageInput, type ImportPlan, type UploadedImageSource } from '#libs/contracts/images.js';
import { evidenceOf } from '#libs/domain/image-evidence.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { LxdClient } from '#libs/lxd/client.js';
import { kernelArchitecture } from '#libs/simplestreams/architectures.js';
import { compareVersions } from '#libs/simplestreams/tags.js';
import type { Call } from '../shared/guard.js';
import { type ImageDeps, KnownListings } from './deps.js';
import { resolveGithub } from './resolve-github.js';
import { resolveStreams } from './resolve-streams.js';

/** A source that does not answer is asked so often; limits, which say when they end, do not count. */
const ATTEMPTS = 8;
const ONLINE = 'Online';

/** What is to be imported. */
export function resolveSteps(deps: ImageDeps, listings = new KnownListings(deps.github)) {
  const { lxd, staging } = deps;

  async function resolve(input: ImportImageInput, signal: AbortSignal): Promise<ImportPlan> {
    const architecture = await architectureFor(lxd, input.architecture, signal);
    const { source } = input;
    switch (source.kind) {
      case 'github':
        return resolveGithub(deps.github, listings, source, { architecture, signal });
      case 'simplestreams':
        return resolveStreams(deps.servers, source, { architecture, signal });
      case 'upload':
        return resolveUpload(source, architecture);
    }
  }

  /** What was found for a followed source may have waited for its approval while a newer version came. */
  async function assertNotOlder({ alias, requestedBy }: ImportImageInput, plan: ImportPlan, signal: AbortSignal): Promise<void> {
    if (requestedBy.subject !== IMAGE_SOURCES) return;
    const present = (await lxd.images.list({ signal })).find(({ aliases }) => aliases.some(({ name }) => name === alias));
    const has = present && evidenceOf(present);
    if (has?.source !== plan.source || compareVersions(has.version, plan.version) <= 0) return;
    throw new PlatformError('CONFLICT', `${alias} is ${has.version} already, which is newer than ${plan.version}.`, {
      details: { field: 'version' },
    });
  }

  async function resolveUpload(source: UploadedImageSource, architecture: string): Promise<ImportPlan> {
    const files = [];
    for (const role of ['metadata', 'rootfs'] as const) {
      const { id, sha256, sizeBytes } = source[role];
      const kept = await staging.useUpload(id);
      if (!kept || kept.sha256 !== sha256) throw new PlatformError('NOT_FOUND', `There is no upload ${id} any more. Send the file again.`);
      files.push({ role, name: `upload ${id}`, sizeBytes, sha256, location: { at: 'upload', id } } as const);
    }
    return { source: 'upload', version: source.version ?? source.rootfs.sha256.slice(0, 12), architecture, files, passedOver: [] };
  }

  return {
    async resolveImport(call: Call, _acting: Acting, input: ImportImageInput): Promise<ImportPlan> {
      try {
        const plan = await resolve(input, call.signal);
        await assertNotOlder(input, plan, call.signal);
        return plan;
      } catch (error) {
        throw isPlatformError(error, 'UNAVAILABLE') && call.attempt >= ATTEMPTS ? error.final() : error;
      }
    },
  };
}

/** As the kernel calls it: what was asked for if the cluster runs it, else that of most members. */
export async function architectureFor(lxd: LxdClient, wanted: string | undefined, signal: AbortSignal): Promise<string> {
  const members = (await lxd.cluster.members({ signal })).filter(({ status }) => status === ONLINE);
  const all =
    members.length > 0 ? members.map(({ architecture }) => architecture) : (await lxd.server({ signal })).environment.architectures;
  const has = all.map((name) => kernelArchitecture(name) ?? name);
  if (wanted !== undefined) {
    const kernelName = kernelArchitecture(wanted);
    if (kernelName !== undefined && has.includes(kernelName)) return kernelName;
    throw new PlatformError('INVALID_INPUT', `No member of LXD runs ${wanted}; they run ${[...new Set(has)].join(', ')}.`, {
      details: { field: 'architecture' },
    });
  }
  // A single server names its own first, and then what it can run besides.
  const common = members.length > 0 ? commonest(has) : has[0];
  if (common === undefined) throw new PlatformError('UNAVAILABLE', 'No member of LXD says which architecture it has.');
  return common;
}

/** The first by name when it is a tie. */
function commonest(names: readonly string[]): string | undefined {
  const count = (name: string) => names.filter((each) => each === name).length;
  return [...new Set(names)].sort((a, b) => count(b) - count(a) || (a < b ? -1 : 1))[0];
}
