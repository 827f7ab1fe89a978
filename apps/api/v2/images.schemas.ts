import semver from 'semver';
import { z } from 'zod';
import { GITHUB_SOURCE, imageAlias } from '#libs/config/images.js';
import { operationSummarySchema } from './schemas.js';

const MAX_CERTIFICATE = 20_000;
const uploadId = z.uuid({ error: 'must be the id of an upload' });
const versionText = z.string({ error: 'must be a text' }).regex(/^[\w.+~:-]{1,100}$/, 'must be 1 to 100 letters, digits and . _ + ~ : -');

const github = z
  .string({ error: 'must be a text' })
  .max(400)
  .superRefine((text, context) => {
    const { source, range } = splitGithub(text);
    if (!GITHUB_SOURCE.test(source)) context.addIssue('must be github:<owner>/<repository>/<image>, with @<version> or @<range> if wanted');
    if (range !== undefined && semver.validRange(range) === null) context.addIssue(`"${range}" is no semver version or range`);
  })
  .describe(
    'github:<owner>/<repository>/<image>, the newest release; @<version or range> for others, e.g. github:netsoc/images/docker@^5.8',
  );

const simplestreams = z
  .strictObject({
    server: z
      .url({ protocol: /^https$/, error: 'must be an https URL' })
      .max(500)
      .refine(isPlainUrl, 'must hold no user name, password, query or fragment: operations are kept where many can read them')
      .describe('URL above streams/v1/'),
    alias: z.string({ error: 'must be a text' }).regex(/^[\w./+~:-]{1,200}$/, 'must be an alias of that server'),
    version: versionText.optional().describe('Name of one version; the newest when absent'),
    certificate: z
      .string({ error: 'must be a text' })
      .max(MAX_CERTIFICATE)
      .regex(/^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/, 'must be one certificate in PEM')
      .optional()
      .describe('What the server must show; otherwise well-known authorities vouch for it'),
  })
  .describe('An image of another image server');

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return `${username}${password}${search}${hash}` === '';
}

const upload = z
  .strictObject({
    metadata: uploadId.describe('The archive with metadata.yaml, e.g. lxd.tar.xz'),
    rootfs: uploadId.describe('The root file system, e.g. rootfs.squashfs'),
    version: versionText.optional().describe('What its maker calls it'),
  })
  .describe('Files that were uploaded before');

export const importBody = z
  .strictObject({
    github: github.optional(),
    simplestreams: simplestreams.optional(),
    upload: upload.optional(),
    alias: imageAlias.optional().describe("What the image is called here; the source's name of it when absent. Needed with an upload"),
    architecture: z
      .string({ error: 'must be a text' })
      .regex(/^[a-z0-9_]{1,32}$/, 'must be an architecture, e.g. amd64')
      .optional()
      .describe("The cluster's when absent"),
    keep: z.int({ error: 'must be a number' }).min(1).max(100).optional().describe('Versions of the alias that stay'),
    prereleases: z.boolean({ error: 'must be true or false' }).optional().describe('Take what GitHub marks as prerelease, too'),
  })
  .superRefine((body, context) => {
    const given = [body.github, body.simplestreams, body.upload].filter((source) => source !== undefined).length;
    if (given !== 1) context.addIssue({ code: 'custom', path: ['github'], message: 'give one of github, simplestreams and upload' });
    if (body.upload && body.alias === undefined) context.addIssue({ code: 'custom', path: ['alias'], message: 'is needed with an upload' });
  })
  .meta({ id: 'ImportImage' });
export type ImportBody = z.output<typeof importBody>;

/** What stands before and after the `@`. */
export function splitGithub(text: string): { readonly source: string; readonly range?: string } {
  const at = text.indexOf('@');
  return at < 0 ? { source: text } : { source: text.slice(0, at), range: text.slice(at + 1) };
}

export const uploadSchema = z
  .object({
    id: z.string(),
    sha256: z.string(),
    sizeBytes: z.number(),
    expiresAt: z.string().describe('When it is removed unless an import has used it'),
  })
  .meta({ id: 'ImageUpload' });
export type UploadView = z.output<typeof uploadSchema>;

const evidence = z.object({
  source: z.string(),
  version: z.string(),
  alias: z.string().describe('The alias it was imported for'),
  operation: z.string(),
  importedAt: z.string(),
  importedBy: z.string(),
  approvedBy: z.string().optional(),
  releaseId: z.string().optional(),
  assetIds: z.string().optional(),
  metadataSha256: z.string().optional(),
  rootfsSha256: z.string().optional(),
  adopted: z.boolean().describe('LXD had it already, from elsewhere'),
});

export const imageListSchema = z
  .object({
    aliases: z.array(
      z.object({
        alias: z.string(),
        fingerprint: z.string().describe('What it names now'),
        versions: z
          .array(z.object({ version: z.string(), fingerprint: z.string(), importedAt: z.string() }))
          .describe('Those imported for it that are there, newest first'),
      }),
    ),
    images: z.array(
      z.object({
        fingerprint: z.string(),
        aliases: z.array(z.string()),
        description: z.string(),
        architecture: z.string(),
        sizeBytes: z.number(),
        cached: z.boolean().describe('LXD fetched it of its own accord'),
        uploadedAt: z.string(),
        lastUsedAt: z.string().optional(),
        evidence: evidence.optional().describe('Where it comes from; absent for one that was not imported by the platform'),
        usedBy: z.array(z.string()).describe('Instances that were made of it'),
      }),
    ),
  })
  .meta({ id: 'ImageList' });
export type ImageList = z.output<typeof imageListSchema>;

export const imageSourcesSchema = z
  .object({
    sources: z.array(
      z.object({
        source: z.string(),
        alias: z.string(),
        range: z.string(),
        policy: z.enum(['import', 'approve']),
        keep: z.int(),
        prereleases: z.boolean(),
        current: z.object({ version: z.string(), fingerprint: z.string(), importedAt: z.string() }).optional(),
        imports: z.array(operationSummarySchema).describe('Imports for the alias that run or wait for an approval'),
      }),
    ),
  })
  .meta({ id: 'ImageSources' });
export type ImageSourcesView = z.output<typeof imageSourcesSchema>;

export const approvalSchema = z
  .object({ approvedAt: z.string(), approvedBy: z.object({ subject: z.string(), username: z.string() }) })
  .meta({ id: 'Approval' });

export const webhookSchema = z
  .object({ outcome: z.enum(['looking', 'ignored', 'pong']).describe('`looking`: the sources of that repository are looked at') })
  .meta({ id: 'WebhookAnswer' });
export type WebhookAnswer = z.output<typeof webhookSchema>;
