import { deltaFileName, itemPath, METADATA_FILES, rootFileName } from './item-paths.js';
import type { ImageVersion, LeftOut, RootType } from './types.js';

/** Where the fingerprint of an image with such a root stands on the metadata item. */
export const COMBINED_FIELDS: Readonly<Record<RootType, string>> = {
  squashfs: 'combined_squashfs_sha256',
  'root.tar.xz': 'combined_rootxz_sha256',
  'disk-kvm.img': 'combined_disk-kvm-img_sha256',
};

/** One file in a products document. */
interface Item {
  readonly ftype: string;
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  readonly [field: string]: string | number;
}

/** What items of a version need to know of its product. */
export interface ProductContext<Id> {
  readonly serials: ReadonlyMap<string, string>;
  readonly siblings: ReadonlyMap<string, ImageVersion<Id>>;
  readonly leftOut: LeftOut[];
}

/** The items of a version by file name. The metadata stands there twice, under LXD's name and under Incus'. */
export function itemsOf<Id>(version: ImageVersion<Id>, context: ProductContext<Id>): Record<string, Item> {
  const { variant, metadataSha256, roots } = version;
  const items: Record<string, Item> = {};
  const add = (file: string, item: Omit<Item, 'path'>): void => {
    items[file] = { ...item, path: itemPath({ ...variant, file }) } as Item;
  };
  const combined = Object.fromEntries(roots.map(({ type, combinedSha256 }) => [COMBINED_FIELDS[type], combinedSha256]));
  for (const name of METADATA_FILES) add(name, { ftype: name, sha256: metadataSha256, size: variant.metadata.sizeBytes, ...combined });
  for (const { type, file, sha256, deltas } of roots) {
    add(rootFileName(type), { ftype: type, sha256, size: file.sizeBytes });
    for (const delta of deltas) {
      const base = baseSerial(version, { type, base: delta.base }, context);
      if (base === undefined) continue;
      add(deltaFileName(type, delta.base), { ftype: `${type}.vcdiff`, sha256: delta.sha256, size: delta.file.sizeBytes, delta_base: base });
    }
  }
  return items;
}

/** The key of the version that a delta starts from; without it in the product no client could use the delta. */
function baseSerial<Id>(
  { variant }: ImageVersion<Id>,
  { type, base }: { type: RootType; base: string },
  { serials, siblings, leftOut }: ProductContext<Id>,
): string | undefined {
  const has = siblings.get(base)?.roots.some((root) => root.type === type) ?? false;
  if (has && base !== variant.version) return serials.get(base);
  const { image, version, architecture } = variant;
  leftOut.push({ tag: `${image}/v${version}`, architecture, reason: `Its delta starts from v${base}, which is not offered as ${type}.` });
  return undefined;
}
