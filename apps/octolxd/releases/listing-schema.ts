import { z } from 'zod';
import type { ReleaseListing } from '#libs/github/types.js';

/** A listing as an earlier process of ours wrote it; another form of it counts as none. */
const VERSION = 1;

const asset = z.strictObject({
  id: z.number(),
  name: z.string(),
  sizeBytes: z.number(),
  sha256: z.string().optional(),
  downloadUrl: z.string(),
  updatedAt: z.string(),
  uploaded: z.boolean(),
});

const release = z.strictObject({
  id: z.number(),
  tag: z.string(),
  prerelease: z.boolean(),
  publishedAt: z.string(),
  immutable: z.boolean(),
  body: z.string(),
  assets: z.array(asset),
});

const page = z.strictObject({
  etag: z.string().optional(),
  identity: z.string().optional(),
  releases: z.array(release),
  hasNext: z.boolean(),
  next: z.string().optional(),
});

export interface StoredListing {
  readonly version: typeof VERSION;
  readonly listing: ReleaseListing;
  /** When GitHub last confirmed it, at least. */
  readonly confirmedAtMs: number;
  /** When every page was looked at. */
  readonly deepAtMs: number;
}

export const listingSchema = z.strictObject({
  version: z.literal(VERSION),
  listing: z.strictObject({ pages: z.array(page) }),
  confirmedAtMs: z.number(),
  deepAtMs: z.number(),
}) as unknown as z.ZodType<StoredListing>;
