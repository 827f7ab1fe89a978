import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { githubSchema } from './github.js';
import { file } from './schemas.js';

const DAY_SECONDS = 86_400;
const GIB = 1024 ** 3;

export const IMAGE_ALIAS = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
export const imageAlias = z
  .string({ error: 'must be a text' })
  .regex(IMAGE_ALIAS, 'must begin with a letter or digit and hold letters, digits and . _ / - only, at most 128')
  .refine((alias) => !alias.startsWith('archive/'), 'must not begin with archive/, where webspaces of former members are kept');

export const GITHUB_SOURCE = /^github:([A-Za-z0-9][A-Za-z0-9-]{0,38})\/([A-Za-z0-9._-]{1,100})\/([a-z0-9][a-z0-9._/-]{0,127})$/;

const watched = z.strictObject({
  source: z.string().regex(GITHUB_SOURCE, 'must be github:<owner>/<repository>/<image>').describe('Whose releases are followed'),
  alias: imageAlias.describe('What the image is called here'),
  range: z.string().min(1).max(200).default('*').describe('Semver range of the versions that are taken, e.g. ^5.8'),
  policy: z.enum(['import', 'approve']).default('approve').describe('Import a new version at once, or when an admin approves it'),
  keep: z.int().min(1).max(100).optional().describe('Versions that stay; `images.keep` when absent'),
  prereleases: z.boolean().default(false).describe('Take releases that GitHub marks as prereleases, too'),
});

/** Where images come from and how long they stay. API and worker have the same. */
export const imagesSchema = z
  .strictObject({
    stagingFolder: file.default('/var/lib/webspaces/images').describe('Files that are uploaded or downloaded; shared by API and worker'),
    stagingBytes: z
      .int()
      .min(1)
      .default(32 * GIB)
      .describe('Most that may be in it'),
    uploadBytes: z
      .int()
      .min(1)
      .default(8 * GIB)
      .describe('Largest file that may be uploaded'),
    keep: z.int().min(1).max(100).default(2).describe('Versions of an alias that stay, the present one among them'),
    everySeconds: z.int().min(1).default(3_600).describe('How often the sources are looked at'),
    approvalSeconds: z
      .int()
      .min(1)
      .default(7 * DAY_SECONDS)
      .describe('How long an import waits for its approval'),
    sources: z.array(watched).max(200).default([]),
    prune: z
      .strictObject({ unusedDays: z.number().min(0).default(0).describe('Cached images that nobody has used for so long go; 0 for never') })
      .prefault({}),
    servers: z
      .strictObject({
        allowPrivateAddresses: z.boolean().default(false).describe('Import from image servers at addresses that are not public'),
        timeoutMs: z.int().min(100).max(120_000).default(30_000).describe('Longest silence of an image server'),
      })
      .prefault({})
      .describe('Other image servers'),
    github: githubSchema,
    webhookSecretFile: file.optional().describe("Secret of GitHub's webhook, which is off without one"),
  })
  .refine(({ sources }) => new Set(sources.map(({ alias }) => alias)).size === sources.length, {
    path: ['sources'],
    message: 'two of them have the same alias',
  })
  .prefault({});
export type ImagesConfig = DeepReadonly<z.output<typeof imagesSchema>>;
