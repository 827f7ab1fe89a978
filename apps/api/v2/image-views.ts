import { evidenceOf } from '#libs/domain/image-evidence.js';
import type { LxdImage, LxdInstance } from '#libs/lxd/types.js';
import type { ImageList } from './images.schemas.js';

const BASE = 'volatile.base_image';

/** Images as admins see them: the versions of each alias, where every image comes from, and who uses it. */
export function imageViews(images: readonly LxdImage[], instances: readonly LxdInstance[]): ImageList {
  const users = new Map<string, string[]>();
  for (const { name, config } of instances) {
    const base = config[BASE];
    if (base !== undefined) users.set(base, [...(users.get(base) ?? []), name]);
  }
  const aliases = images.flatMap(({ aliases, fingerprint }) => aliases.map(({ name }) => ({ alias: name, fingerprint })));
  return {
    aliases: aliases.sort((a, b) => (a.alias < b.alias ? -1 : 1)).map((each) => ({ ...each, versions: versionsOf(each.alias, images) })),
    images: images.map((image) => viewOf(image, users.get(image.fingerprint) ?? [])),
  };
}

function versionsOf(alias: string, images: readonly LxdImage[]): ImageList['aliases'][number]['versions'] {
  return images
    .flatMap((image) => {
      const evidence = evidenceOf(image);
      if (evidence?.alias !== alias) return [];
      return [{ version: evidence.version, fingerprint: image.fingerprint, importedAt: evidence.importedAt }];
    })
    .sort((a, b) => (a.importedAt < b.importedAt ? 1 : -1));
}

function viewOf(image: LxdImage, usedBy: readonly string[]): ImageList['images'][number] {
  const evidence = evidenceOf(image);
  const used = Date.parse(image.last_used_at) > 0;
  return {
    fingerprint: image.fingerprint,
    aliases: image.aliases.map(({ name }) => name),
    description: image.properties['description'] ?? '',
    architecture: image.architecture,
    sizeBytes: image.size,
    cached: image.cached,
    uploadedAt: image.uploaded_at,
    ...(used ? { lastUsedAt: image.last_used_at } : {}),
    ...(evidence ? { evidence } : {}),
    usedBy: [...usedBy].sort(),
  };
}
