import { z } from 'zod';
import type { Release, ReleaseAsset } from './types.js';

const utc = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const DIGEST = /^sha256:([0-9a-f]{64})$/i;

const rawAsset = z.object({
  id: z.int().positive(),
  name: z.string().min(1),
  size: z.int().min(0),
  digest: z.string().nullish(),
  browser_download_url: z.url({ protocol: /^https?$/ }),
  updated_at: utc,
  state: z.string(),
});

const rawRelease = z.object({
  id: z.int().positive(),
  tag_name: z.string().min(1),
  draft: z.boolean(),
  prerelease: z.boolean(),
  immutable: z.boolean().nullish(),
  published_at: utc.nullish(),
  created_at: utc,
  body: z.string().nullish(),
  assets: z.array(rawAsset),
});

/** A page of `GET /repos/{owner}/{repo}/releases`, as far as we need it; drafts are dropped. */
export const releasesAnswer = z.array(rawRelease).transform((releases) => releases.filter(({ draft }) => !draft).map(releaseOf));

function releaseOf(raw: z.output<typeof rawRelease>): Release {
  return {
    id: raw.id,
    tag: raw.tag_name,
    prerelease: raw.prerelease,
    publishedAt: raw.published_at ?? raw.created_at,
    immutable: raw.immutable ?? false,
    body: raw.body ?? '',
    assets: raw.assets.map(assetOf),
  };
}

function assetOf(raw: z.output<typeof rawAsset>): ReleaseAsset {
  const sha256 = DIGEST.exec(raw.digest ?? '')?.[1]?.toLowerCase();
  return {
    id: raw.id,
    name: raw.name,
    sizeBytes: raw.size,
    ...(sha256 === undefined ? {} : { sha256 }),
    downloadUrl: raw.browser_download_url,
    updatedAt: raw.updated_at,
    uploaded: raw.state === 'uploaded',
  };
}
