import type { ReleaseAsset, Repository } from '#libs/github/types.js';
import { compareVersions } from '#libs/simplestreams/tags.js';
import type { ImageVersion, LeftOut, RootType } from '#libs/simplestreams/types.js';
import type { ViewAnswer } from '../repository-view.js';
import { agoText, escaped, pageOf, sizeText } from './html.js';

export interface RepositoryPageInput {
  readonly repository: Repository;
  readonly publicUrl: string;
  readonly answer: ViewAnswer;
}

type Version = ImageVersion<ReleaseAsset>;

const KINDS: Readonly<Record<RootType, string>> = {
  squashfs: 'container',
  'root.tar.xz': 'container (tar)',
  'disk-kvm.img': 'virtual machine',
};
/** Remotes that `lxc` and `incus` have from the start. */
const TAKEN_REMOTES = new Set(['images', 'local', 'ubuntu', 'ubuntu-daily', 'ubuntu-minimal', 'ubuntu-minimal-daily']);

/** What a repository offers, what it does not and why, and how to use it. */
export function repositoryPage({ repository, publicUrl, answer }: RepositoryPageInput): string {
  const { offered } = answer;
  const title = `${repository.owner}/${repository.name}`;
  const main = [
    `<h1>${escaped(title)}</h1>`,
    age(answer),
    use(repository, publicUrl.replace(/\/+$/, ''), offered.versions),
    images(offered.versions),
    leftOut(offered.leftOut),
  ];
  return pageOf(`Images of ${title}`, main.filter(Boolean).join('\n'));
}

function age({ ageSeconds, stale, offered }: ViewAnswer): string {
  const asked = `GitHub confirmed this ${agoText(ageSeconds)}.`;
  if (stale) return `<p class="warning">${asked} Since then: ${escaped(stale.message)} What is below may be out of date.</p>`;
  if (!offered.complete) return '<p class="warning">Not all releases have been read yet. Load this page again in a few seconds.</p>';
  return `<p class="quiet">${asked}</p>`;
}

function use(repository: Repository, base: string, versions: readonly Version[]): string {
  const owner = repository.owner.toLowerCase();
  const remote = TAKEN_REMOTES.has(owner) ? `${owner}-images` : owner;
  const url = `${base}/${repository.owner}/${repository.name}`;
  const image = newestFirst(versions)[0]?.variant.image ?? '<image>';
  return `<h2>Use it</h2>
<pre>lxc remote add ${escaped(remote)} ${escaped(url)} --protocol simplestreams
lxc image list ${escaped(remote)}:
lxc image copy ${escaped(remote)}:${escaped(image)} local: --alias ${escaped(image)} --auto-update</pre>
<p class="quiet">With Incus: the same with <code>incus</code>. A copy with <code>--auto-update</code> follows new releases by itself.</p>`;
}

function images(versions: readonly Version[]): string {
  if (versions.length === 0) return '<h2>Images</h2>\n<p>There are none.</p>';
  const byImage = new Map<string, Version[]>();
  for (const version of versions) byImage.set(version.variant.image, [...(byImage.get(version.variant.image) ?? []), version]);
  const sorted = [...byImage].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([image, of]) => `<h2>${escaped(image)}</h2>\n${described(of)}\n${table(of)}`).join('\n');
}

function described(versions: readonly Version[]): string {
  const description = newestFirst(versions)[0]?.metadata.properties['description'];
  return description ? `<p>${escaped(description)}</p>` : '';
}

function table(versions: readonly Version[]): string {
  const head =
    '<tr><th>version</th><th>architecture</th><th>kind</th><th>built</th><th>released</th><th class="number">size</th><th>fingerprint</th></tr>';
  return `<div class="scroll"><table>\n<thead>${head}</thead>\n<tbody>\n${newestFirst(versions).flatMap(rows).join('\n')}\n</tbody>\n</table></div>`;
}

function rows({ variant, metadata, roots }: Version): string[] {
  return roots.map(({ type, file, combinedSha256 }) => {
    const cells = [
      `<td>${escaped(variant.version)}</td>`,
      `<td>${escaped(variant.architecture)}</td>`,
      `<td>${KINDS[type]}</td>`,
      `<td>${new Date(metadata.creationDate * 1000).toISOString().slice(0, 10)}</td>`,
      `<td>${escaped(variant.publishedAt.slice(0, 10))}</td>`,
      `<td class="number">${sizeText(file.sizeBytes + variant.metadata.sizeBytes)}</td>`,
      `<td><code title="${combinedSha256}">${combinedSha256.slice(0, 12)}</code></td>`,
    ];
    return `<tr>${cells.join('')}</tr>`;
  });
}

function leftOut(left: readonly LeftOut[]): string {
  if (left.length === 0) return '';
  const lines = left.map(
    ({ tag, architecture, reason }) =>
      `<tr><td><code>${escaped(tag)}</code></td><td>${escaped(architecture ?? 'all')}</td><td>${escaped(reason)}</td></tr>`,
  );
  const head = '<tr><th>release</th><th>architecture</th><th>why</th></tr>';
  return `<h2>Left out</h2>\n<div class="scroll"><table>\n<thead>${head}</thead>\n<tbody>\n${lines.join('\n')}\n</tbody>\n</table></div>`;
}

function newestFirst(versions: readonly Version[]): Version[] {
  return [...versions].sort(
    ({ variant: a }, { variant: b }) =>
      compareVersions(b.version, a.version) ||
      (a.image < b.image ? -1 : Number(a.image > b.image)) ||
      (a.architecture < b.architecture ? -1 : 1),
  );
}
