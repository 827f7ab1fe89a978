import { kernelArchitecture } from './architectures.js';
import { byText } from './order.js';
import type { StreamsItem, StreamsProduct, StreamsProducts, StreamsVersion } from './read-streams.js';

export interface ImageQuery {
  /** An alias, or `<alias>/<arch>`. */
  readonly alias: string;
  readonly architecture: string;
  /** A version's whole key, or what follows the day in it: `v1.2.3` or `1.2.3`. Absent: the newest. */
  readonly version?: string;
  /** Default `container`. */
  readonly type?: ImageType;
}

export type ImageType = 'container' | 'virtual-machine';

export interface FoundFile {
  /** Relative to the server's address. */
  readonly path: string;
  readonly sha256: string;
  /** 0 when the server does not say. */
  readonly sizeBytes: number;
}

/** An image on another server. Its fingerprint is the sha256 of metadata followed by root, or of the one file there is. */
export interface FoundImage {
  readonly product: string;
  readonly serial: string;
  readonly fingerprint: string;
  readonly type: ImageType;
  /** As the kernel calls it. */
  readonly architecture: string;
  /** Seconds since 1970: the day in the serial. */
  readonly creationDate: number;
  readonly metadata: FoundFile;
  readonly root?: FoundFile & { readonly type: string };
  /** Those that LXD would give the image. */
  readonly properties: Readonly<Record<string, string>>;
}

type CombinedField = Extract<keyof StreamsItem, `combined_${string}`>;
/** Roots by ftype, the one to take first first; the fields that hold an image's fingerprint (canonical/lxd `shared/simplestreams/products.go`). */
const ROOTS: readonly (readonly [string, ImageType, readonly CombinedField[]])[] = [
  ['squashfs', 'container', ['combined_squashfs_sha256']],
  ['root.tar.xz', 'container', ['combined_rootxz_sha256', 'combined_sha256']],
  ['disk-kvm.img', 'virtual-machine', ['combined_disk-kvm-img_sha256']],
  ['disk1.img', 'virtual-machine', ['combined_disk1-img_sha256']],
  ['uefi1.img', 'virtual-machine', ['combined_uefi1-img_sha256']],
];
const METADATA = ['lxd.tar.xz', 'incus.tar.xz'];
const UNIFIED = ['lxd_combined.tar.gz', 'incus_combined.tar.gz'];

/** The image that LXD would take for an alias: among equal aliases by os and release, then the newest serial. Undefined when there is none. */
export function findImage(products: StreamsProducts, query: ImageQuery): FoundImage | undefined {
  const kernelName = kernelArchitecture(query.architecture);
  const [found] = [...products]
    .flatMap(([key, product]) => {
      if (kernelName === undefined || kernelArchitecture(product.arch) !== kernelName || !hasAlias(product, query.alias)) return [];
      return [...product.versions].flatMap(([serial, version]) => {
        const image = isWanted(serial, query.version) ? imageOf({ key, product, serial, version }, query.type ?? 'container') : undefined;
        return image === undefined ? [] : [{ product, image }];
      });
    })
    .sort(
      (a, b) =>
        byPresence(a.product.os, b.product.os) ||
        byPresence(a.product.release, b.product.release) ||
        byText(b.image.serial, a.image.serial) ||
        byText(a.image.product, b.image.product),
    );
  return found?.image;
}

function hasAlias({ aliases, arch }: StreamsProduct, wanted: string): boolean {
  return aliases.split(',').some((alias) => alias !== '' && (alias === wanted || `${alias}/${arch}` === wanted));
}

function isWanted(serial: string, version: string | undefined): boolean {
  return (
    version === undefined ||
    serial === version ||
    serial.endsWith(`_v${version}`) ||
    serial.slice(9) === version ||
    serial.endsWith(`_${version}`)
  );
}

interface Candidate {
  readonly key: string;
  readonly product: StreamsProduct;
  readonly serial: string;
  readonly version: StreamsVersion;
}

function imageOf({ key, product, serial, version }: Candidate, type: ImageType): FoundImage | undefined {
  const creationDate = dateOf(serial);
  const files = creationDate === undefined ? undefined : filesOf(version.items, type);
  if (creationDate === undefined || files === undefined) return undefined;
  const properties = propertiesOf(product, version, { serial, rootType: files.root?.type ?? 'tar.gz' });
  return { product: key, serial, type, architecture: kernelArchitecture(product.arch) as string, creationDate, ...files, properties };
}

/** Seconds since 1970 of the eight digits a serial begins with, when they are a day. */
function dateOf(serial: string): number | undefined {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})/.exec(serial) ?? [];
  const text = `${year}-${month}-${day}T00:00:00.000Z`;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || new Date(ms).toISOString() !== text ? undefined : ms / 1000;
}

function filesOf(items: readonly StreamsItem[], type: ImageType): Pick<FoundImage, 'fingerprint' | 'metadata' | 'root'> | undefined {
  const byType = (ftypes: readonly string[]): StreamsItem | undefined =>
    ftypes.flatMap((ftype) => items.find((item) => item.ftype === ftype) ?? [])[0];
  const metadata = byType(METADATA);
  if (metadata !== undefined) {
    for (const [ftype, ofType, fields] of ROOTS) {
      const root = ofType === type ? byType([ftype]) : undefined;
      const fingerprint = fields.map((field) => metadata[field]).find((value) => value !== undefined);
      if (root !== undefined && fingerprint !== undefined)
        return { fingerprint, metadata: fileOf(metadata), root: { ...fileOf(root), type: ftype } };
    }
  }
  const unified = type === 'container' ? byType(UNIFIED) : undefined;
  return unified === undefined ? undefined : { fingerprint: unified.sha256, metadata: fileOf(unified) };
}

function fileOf({ path, sha256, size }: StreamsItem): FoundFile {
  return { path, sha256, sizeBytes: size };
}

function propertiesOf(
  product: StreamsProduct,
  { label }: StreamsVersion,
  { serial, rootType }: { serial: string; rootType: string },
): Record<string, string> {
  const { os, release, version, arch, variant } = product;
  const title = `${os} ${product.release_title} ${arch}${label === '' ? '' : ` (${label})`} (${serial})`.trim();
  const given = { architecture: arch, description: title, label, os, release, serial, type: rootType, variant, version };
  const requirements = Object.entries({ ...product.lxd_requirements, ...product.requirements });
  return Object.fromEntries([
    ...Object.entries(given).filter(([, value]) => value !== ''),
    ...requirements.map(([name, value]) => [`requirements.${name}`, value] as const),
  ]);
}

/** What is empty comes last, as LXD sorts it. */
function byPresence(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? 1 : -1;
  return byText(a, b);
}
