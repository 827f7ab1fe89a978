import { z } from 'zod';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { isSha256 } from './checksums.js';

const DATATYPE = 'image-downloads';

const indexSchema = z.object({
  index: z.record(
    z.string(),
    z.object({ datatype: z.string().optional(), path: z.string().optional(), products: z.array(z.string()).nullish() }),
  ),
});

const sha256 = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine(isSha256, 'is not 64 hex digits');

const itemSchema = z.object({
  ftype: z.string(),
  path: z.string().refine(isPlainPath, 'is not a path below the server'),
  size: z.number().int().nonnegative().default(0),
  sha256,
  combined_sha256: sha256.optional(),
  combined_rootxz_sha256: sha256.optional(),
  combined_squashfs_sha256: sha256.optional(),
  'combined_disk-kvm-img_sha256': sha256.optional(),
  'combined_disk1-img_sha256': sha256.optional(),
  'combined_uefi1-img_sha256': sha256.optional(),
});

const text = z.string().default('');
const texts = z.record(z.string(), z.string()).optional();

const versionSchema = z.object({ label: text, items: z.record(z.string(), z.unknown()) });

const productSchema = z.object({
  aliases: text,
  arch: z.string(),
  os: text,
  release: text,
  release_title: text,
  support_eol: text,
  variant: text,
  version: text,
  requirements: texts,
  lxd_requirements: texts,
  versions: z.record(z.string(), z.unknown()),
});

const productsSchema = z.object({ datatype: z.literal(DATATYPE).optional(), products: z.record(z.string(), z.unknown()) });

export type StreamsItem = z.infer<typeof itemSchema>;
export type StreamsVersion = Omit<z.infer<typeof versionSchema>, 'items'> & { readonly items: readonly StreamsItem[] };
export type StreamsProduct = Omit<z.infer<typeof productSchema>, 'versions'> & { readonly versions: ReadonlyMap<string, StreamsVersion> };
/** Products by key; what could not be read of them is not there. */
export type StreamsProducts = ReadonlyMap<string, StreamsProduct>;

/** Where the documents with images are, relative to the server's address. Throws PROTOCOL when it is not an index. */
export function parseIndex(json: string | Buffer): string[] {
  const { index } = read(indexSchema, json, 'streams/v1/index.json');
  const paths = Object.values(index).flatMap(({ datatype, path, products }) =>
    datatype === DATATYPE && path !== undefined && isPlainPath(path) && products && products.length > 0 ? [path] : [],
  );
  return [...new Set(paths)];
}

/**
 * The products of an image server's document. As LXD does, what is unknown is passed over; other than LXD, an entry that cannot be read is passed over
 * alone. Throws PROTOCOL when it is no such document.
 */
export function parseProducts(json: string | Buffer): StreamsProducts {
  const { products } = read(productsSchema, json, 'the products document');
  return readable(products, (value) => {
    const product = productSchema.safeParse(value);
    if (!product.success) return undefined;
    return { ...product.data, versions: readable(product.data.versions, versionOf) };
  });
}

function versionOf(value: unknown): StreamsVersion | undefined {
  const version = versionSchema.safeParse(value);
  if (!version.success) return undefined;
  return { ...version.data, items: [...readable(version.data.items, (item) => itemSchema.safeParse(item).data).values()] };
}

function readable<T>(values: Readonly<Record<string, unknown>>, parse: (value: unknown) => T | undefined): Map<string, T> {
  return new Map(
    Object.entries(values).flatMap(([key, value]) => {
      const parsed = parse(value);
      return parsed === undefined ? [] : [[key, parsed] as const];
    }),
  );
}

/** Relative, and staying below the server's address whatever resolves it. */
function isPlainPath(path: string): boolean {
  const parts = path.split('/');
  return /^[\w.~+@:,=%/-]+$/.test(path) && !/^\/\/|^[a-z][a-z0-9+.-]*:/i.test(path) && !/%2e|%2f|%5c/i.test(path) && !parts.includes('..');
}

function read<T>(schema: z.ZodType<T>, json: string | Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch (cause) {
    throw new PlatformError('PROTOCOL', `The image server's ${what} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PlatformError('PROTOCOL', `The image server's ${what} is not one of images: ${issue?.path.join('.')} ${issue?.message}`);
}
