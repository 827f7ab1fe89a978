import { kernelArchitecture } from './architectures.js';
import { parseAssetName } from './asset-names.js';
import { parseChecksumBlock } from './checksums.js';
import { byText } from './order.js';
import { type NamedFile, planArchitecture } from './plan-architecture.js';
import { parseTag } from './tags.js';
import type { ImageRelease, LeftOut, ReleaseFile, Variant } from './types.js';

export interface PlanOptions {
  /** Whether a release marked as prerelease is offered. Default `include`, as the original did; a semver prerelease in the tag is no mark. */
  readonly prereleases?: 'include' | 'exclude';
}

export interface ReleasePlan<Id> {
  readonly variants: Variant<Id>[];
  readonly leftOut: LeftOut[];
}

/**
 * What a release offers, by names, sizes and known checksums alone: nothing is read. The result does not depend on the order of the files. What cannot
 * be offered is left out with a reason and takes nothing else with it. Never throws.
 */
export function planRelease<Id>(release: ImageRelease<Id>, options: PlanOptions = {}): ReleasePlan<Id> {
  const leftOut: LeftOut[] = [];
  const whole = (reason: string): ReleasePlan<Id> => ({ variants: [], leftOut: [{ tag: release.tag, reason }] });
  const tag = parseTag(release.tag);
  if (tag === undefined) return whole('The tag is not of the form <image>/v<semver>, for example wordpress/v5.8.0-1.');
  if (release.prerelease && options.prereleases === 'exclude')
    return whole('It is marked as a prerelease; this server offers full releases only.');
  if (Number.isNaN(Date.parse(release.publishedAt))) return whole('It has no readable date of publication.');

  const files = filesByName(release.files);
  const architectures = byArchitecture(files);
  if (architectures.size === 0) return whole('It has no files of an image, such as lxd.amd64.tar.xz and rootfs.amd64.squashfs.');
  const text = parseChecksumBlock(release.body);
  const taken = new Map<string, string>();
  const variants: Variant<Id>[] = [];
  for (const [architecture, named] of [...architectures].sort(([a], [b]) => byText(a, b))) {
    const out = (reason: string): void => void leftOut.push({ tag: release.tag, architecture, reason });
    const kernelName = kernelArchitecture(architecture);
    const same = taken.get(kernelName ?? '');
    if (kernelName === undefined) out(`LXD knows no architecture ${architecture}.`);
    else if (same !== undefined) out(`It is the same architecture as ${same}, which is offered.`);
    else {
      const planned = planArchitecture({ architecture, named, files, text, out });
      if (planned === undefined) continue;
      taken.set(kernelName, architecture);
      variants.push({ ...tag, architecture, releaseId: release.id, publishedAt: release.publishedAt, ...planned });
    }
  }
  return { variants, leftOut };
}

/** Every file under its name; more than one where a store allows that. */
function filesByName<Id>(files: readonly ReleaseFile<Id>[]): Map<string, ReleaseFile<Id>[]> {
  const named = new Map<string, ReleaseFile<Id>[]>();
  for (const file of files) named.set(file.name, [...(named.get(file.name) ?? []), file]);
  return named;
}

function byArchitecture<Id>(files: ReadonlyMap<string, readonly ReleaseFile<Id>[]>): Map<string, NamedFile[]> {
  const architectures = new Map<string, NamedFile[]>();
  for (const name of [...files.keys()].sort(byText)) {
    const is = parseAssetName(name);
    if (is === undefined) continue;
    const named = architectures.get(is.architecture) ?? [];
    architectures.set(is.architecture, named);
    named.push({ name, is });
  }
  return architectures;
}
