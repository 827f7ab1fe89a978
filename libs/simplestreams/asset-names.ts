import { isVersion } from './tags.js';
import type { RootType } from './types.js';

/** What a root's files are called: `<stem>.<arch>.<suffix>` as an asset, `<stem>.<suffix>` in paths of image servers. */
export const ROOT_FILES: Readonly<Record<RootType, { readonly stem: string; readonly suffix: string }>> = {
  squashfs: { stem: 'rootfs', suffix: 'squashfs' },
  'root.tar.xz': { stem: 'rootfs', suffix: 'tar.xz' },
  'disk-kvm.img': { stem: 'disk', suffix: 'qcow2' },
};

export type AssetName =
  | { readonly kind: 'metadata'; readonly architecture: string; readonly brand: 'lxd' | 'incus' }
  | { readonly kind: 'root'; readonly architecture: string; readonly type: RootType }
  | { readonly kind: 'delta'; readonly architecture: string; readonly type: RootType; readonly base: string };

const ARCHITECTURE = '([a-z0-9_]+)';
const METADATA = new RegExp(`^(lxd|incus)\\.${ARCHITECTURE}\\.tar\\.xz$`);
const DELTA = new RegExp(`^(rootfs|disk)\\.${ARCHITECTURE}\\.from-v(.+)\\.vcdiff$`);
const ROOTS = Object.entries(ROOT_FILES).map(
  ([type, { stem, suffix }]) => [type as RootType, new RegExp(`^${stem}\\.${ARCHITECTURE}\\.${suffix.replaceAll('.', '\\.')}$`)] as const,
);

/** What an asset is by its name; undefined for checksums and for what is not part of an image. */
export function parseAssetName(name: string): AssetName | undefined {
  const [, brand, metadataOf] = METADATA.exec(name) ?? [];
  if (metadataOf !== undefined) return { kind: 'metadata', architecture: metadataOf, brand: brand === 'incus' ? 'incus' : 'lxd' };
  for (const [type, pattern] of ROOTS) {
    const architecture = pattern.exec(name)?.[1];
    if (architecture !== undefined) return { kind: 'root', architecture, type };
  }
  const [, stem, architecture, base] = DELTA.exec(name) ?? [];
  if (architecture === undefined || base === undefined || !isVersion(base)) return undefined;
  return { kind: 'delta', architecture, type: stem === 'disk' ? 'disk-kvm.img' : 'squashfs', base };
}

/** Where the sha256 of metadata followed by root stands: files to look for, the one to ask for first. */
export function combinedNames(architecture: string, type: RootType): readonly string[] {
  const long = `combined.${architecture}.${ROOT_FILES[type].suffix}.sha256`;
  return type === 'squashfs' ? [`combined.${architecture}.sha256`, long] : [long];
}
