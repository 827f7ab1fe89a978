import { itemsOf } from './items.js';
import { byText } from './order.js';
import { dayOf, serialsOf } from './serials.js';
import { byVersion } from './tags.js';
import type { ImageVersion, LeftOut, StreamsDocuments } from './types.js';

/** Where the index says that the products are; LXD asks for exactly this path. */
export const PRODUCTS_PATH = 'streams/v1/images.json';

const DATATYPE = 'image-downloads';
const REQUIREMENT = 'requirements.';

/**
 * The two documents of an image server, for LXD and Incus alike: the same bytes for the same versions in any order, index and products always in
 * agreement. Of two versions under one name the one published last is kept. Fields: canonical/lxd `shared/simplestreams/products.go`.
 */
export function renderStreams<Id>(versions: readonly ImageVersion<Id>[]): StreamsDocuments {
  const leftOut: LeftOut[] = [];
  const products = [...byProduct(versions, leftOut)].sort(([a], [b]) => byText(a, b));
  const updated = newest(products.flatMap(([, kept]) => kept));
  const stamp = updated === undefined ? {} : { updated: new Date(updated).toUTCString().replace('GMT', '+0000') };
  const rendered = products.map(([key, kept]) => [key, productOf(kept, leftOut)] as const);
  const images = {
    content_id: 'images',
    datatype: DATATYPE,
    format: 'products:1.0',
    ...stamp,
    products: Object.fromEntries(rendered),
  };
  const index = {
    format: 'index:1.0',
    index: {
      images: { datatype: DATATYPE, format: 'products:1.0', path: PRODUCTS_PATH, products: products.map(([key]) => key), ...stamp },
    },
    ...stamp,
  };
  return {
    index: Buffer.from(JSON.stringify(index)),
    images: Buffer.from(JSON.stringify(images)),
    ...(updated === undefined ? {} : { updated }),
    leftOut: leftOut.sort((a, b) => byText(textOf(a), textOf(b))),
  };
}

/** Versions of every product, oldest first. */
function byProduct<Id>(versions: readonly ImageVersion<Id>[], leftOut: LeftOut[]): Map<string, ImageVersion<Id>[]> {
  const products = new Map<string, Map<string, ImageVersion<Id>>>();
  for (const version of versions) {
    const { image, architecture, version: number } = version.variant;
    const key = `${image}:${architecture}`;
    const product = products.get(key) ?? new Map<string, ImageVersion<Id>>();
    products.set(key, product);
    const other = product.get(number);
    if (other === undefined || isLater(version, other)) product.set(number, version);
    if (other !== undefined)
      leftOut.push({ tag: `${image}/v${number}`, architecture, reason: 'Another release published later has the same tag.' });
  }
  const sorted = [...products].map(([key, product]) => [key, byVersion(product.values(), ({ variant }) => variant.version)] as const);
  return new Map(sorted);
}

function isLater<Id>({ variant: a }: ImageVersion<Id>, { variant: b }: ImageVersion<Id>): boolean {
  const apart = Date.parse(a.publishedAt) - Date.parse(b.publishedAt);
  return apart > 0 || (apart === 0 && a.releaseId > b.releaseId);
}

/** Fields of the product are those of its newest version, whatever the order of releases. */
function productOf<Id>(versions: readonly ImageVersion<Id>[], leftOut: LeftOut[]): object {
  const latest = versions.at(-1) as ImageVersion<Id>;
  const { properties, expiryDate } = latest.metadata;
  const requirements = requirementsOf(properties);
  const serials = serialsOf(new Map(versions.map(({ variant, metadata }) => [variant.version, metadata.creationDate])));
  const siblings = new Map(versions.map((version) => [version.variant.version, version]));
  const rendered = versions.map((version) => {
    const items = itemsOf(version, { serials, siblings, leftOut });
    return [serials.get(version.variant.version) as string, { ...label(version), items }] as const;
  });
  return {
    aliases: latest.variant.image,
    arch: latest.variant.architecture,
    ...(requirements === undefined ? {} : { lxd_requirements: requirements }),
    ...pick(properties, 'os'),
    ...pick(properties, 'release'),
    ...pick({ release_title: properties['release'] ?? '' }, 'release_title'),
    ...(requirements === undefined ? {} : { requirements }),
    ...(expiryDate === undefined ? {} : { support_eol: dayOf(expiryDate) }),
    ...pick(properties, 'variant'),
    ...pick(properties, 'version'),
    versions: Object.fromEntries(rendered.sort(([a], [b]) => byText(a, b))),
  };
}

function pick(properties: Readonly<Record<string, string>>, name: string): Record<string, string> {
  const value = properties[name];
  return value === undefined || value === '' ? {} : { [name]: value };
}

function label<Id>({ metadata }: ImageVersion<Id>): Record<string, string> {
  const description = metadata.properties['description'];
  return description ? { label: description } : {};
}

/** What a host must have or allow (`requirements.secureboot`, `requirements.nesting`, …), without the prefix. */
function requirementsOf(properties: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const wanted = Object.entries(properties)
    .filter(([name]) => name.startsWith(REQUIREMENT) && name.length > REQUIREMENT.length)
    .map(([name, value]) => [name.slice(REQUIREMENT.length), value] as const)
    .sort(([a], [b]) => byText(a, b));
  return wanted.length === 0 ? undefined : Object.fromEntries(wanted);
}

function newest<Id>(versions: readonly ImageVersion<Id>[]): string | undefined {
  const times = versions.map(({ variant }) => Date.parse(variant.publishedAt));
  return times.length === 0 ? undefined : new Date(times.reduce((a, b) => Math.max(a, b))).toISOString();
}

function textOf({ tag, architecture, reason }: LeftOut): string {
  return `${tag}\n${architecture ?? ''}\n${reason}`;
}
