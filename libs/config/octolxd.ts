import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { githubSchema } from './github.js';
import { file, listenSchema, logSchema } from './schemas.js';

const seconds = z
  .number()
  .min(0.1)
  .max(7 * 24 * 3600);
const bytes = z.int().min(1);
const MIB = 2 ** 20;

const files = z
  .strictObject({
    serve: z
      .enum(['auto', 'redirect', 'proxy'])
      .default('auto')
      .describe('redirect: clients fetch files from GitHub; proxy: through here; auto: proxy where a credential is needed'),
    cacheBytes: bytes.default(20 * 1024 * MIB).describe('Files kept on disk; the least recently used go first'),
    verifyFirstSeconds: seconds
      .default(10)
      .describe('A file is read and checked before its answer begins; one that takes longer is streamed, its end held back until checked'),
  })
  .prefault({})
  .describe('How the files of images reach clients');

const limits = z
  .strictObject({
    repositories: z.int().min(1).default(1_000).describe('Repositories remembered in memory'),
    unknownPerMinute: z
      .int()
      .min(1)
      .default(30)
      .describe('Calls to GitHub a minute for repositories that are not known yet, of all clients'),
    notFound: z.int().min(1).default(10_000).describe('Repositories that GitHub does not have, remembered'),
    notFoundSeconds: seconds.default(300).describe('How long such an answer is believed'),
    readsAtOnce: z.int().min(1).max(32).default(4).describe('Files of releases read from GitHub at once'),
    metadataCacheBytes: bytes.default(64 * MIB).describe('What was read of releases, kept on disk; the least recently used goes first'),
    refreshWaitSeconds: seconds.default(5).describe('How long an answer waits for a refresh before the last good documents are given'),
    shutdownSeconds: z.number().min(0).max(600).default(10).describe('How long answers may finish after SIGTERM'),
  })
  .prefault({});

const settings = z
  .strictObject({
    listen: listenSchema.prefault('127.0.0.1:8085'),
    tls: z.strictObject({ certFile: file, keyFile: file }).optional().describe('HTTPS; read again when the files change'),
    health: listenSchema.optional().describe('Address of health and metrics; without it the same as everything else'),
    publicUrl: z.url({ protocol: /^https?$/ }).describe('How clients reach it, for what its pages print'),
    log: logSchema,
    github: githubSchema,
    allow: z
      .array(z.string().regex(/^[A-Za-z0-9-]+(?:\/[A-Za-z0-9._-]+)?$/, 'must be an owner, or owner/repository'))
      .default([])
      .describe('Owners and owner/repository that are served'),
    allowAny: z.boolean().default(false).describe('Serve every repository of GitHub'),
    prereleases: z.boolean().default(true).describe('Offer releases that are marked as pre-releases'),
    refreshSeconds: seconds.default(60).describe('How long documents are given without asking GitHub'),
    deepRefreshSeconds: seconds
      .default(3600)
      .describe('How often every page of releases is looked at, which finds changes of old releases'),
    firstViewSeconds: seconds.default(20).describe('Longest wait for a repository that is new here; what was read by then is given'),
    cacheFolder: z.string().min(1).describe('Folder of its own: listings, what was read of releases, and files'),
    metadataBytes: bytes.default(4 * MIB).describe('Largest metadata archive that is read'),
    files,
    limits,
  })
  .refine(({ allow, allowAny }) => allowAny || allow.length > 0, {
    path: ['allow'],
    message: 'must name an owner or owner/repository; allowAny: true serves all of GitHub',
  });

export const octolxdConfigSchema = settings;
export type OctolxdConfig = DeepReadonly<z.output<typeof octolxdConfigSchema>>;
