import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { file } from './schemas.js';

/** Signature algorithms an OpenID Connect issuer may use: asymmetric ones only, since the keys are public. */
const OIDC_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;
const claim = z.string().min(1);
const oidcSchema = z
  .strictObject({
    issuer: z.url({ protocol: /^https?$/ }).describe("The issuer's name, exactly as its tokens and its metadata have it"),
    audiences: z.array(z.string().min(1)).min(1).describe('A token must be for one of these'),
    algorithms: z.array(z.enum(OIDC_ALGORITHMS)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
    claims: z
      .strictObject({
        id: claim.default('sub').describe('Account id; must never be given to another account'),
        username: claim.default('preferred_username').describe('User name: first label of the default host'),
        groups: claim.default('groups').describe('List of groups, or a path such as realm_access.roles'),
        sshKey: claim.optional().describe('Public key for webspaces made with SSH'),
      })
      .prefault({})
      .describe('Which claim says what'),
    adminGroups: z.array(z.string().min(1)).default([]).describe('Members of these groups are admins; nobody without'),
    leewaySeconds: z.int().min(0).max(60).default(5).describe("How far the issuer's clock may be off"),
    keysSeconds: z.int().min(1).max(86_400).default(600).describe('How long keys are used before they are read again'),
    staleKeysSeconds: z.int().min(0).max(604_800).default(3600).describe('How long keys are believed while the issuer is away'),
    unknownKeySeconds: z.int().min(1).max(3600).default(10).describe('A key that is not known asks the issuer at most this often'),
    caFile: file.optional().describe("Certificate that vouches for the issuer; the system's otherwise"),
    allowHttp: z.boolean().default(false).describe('Accept an issuer at a plain http address'),
    timeoutMs: z.int().min(100).max(30_000).default(3000),
  })
  .refine(({ issuer, allowHttp }) => allowHttp || issuer.startsWith('https:'), {
    path: ['issuer'],
    message: 'must be an https address (or set allowHttp)',
  });
export type OidcConfig = DeepReadonly<z.output<typeof oidcSchema>>;

const iamSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Base URL with version, e.g. https://iam.example.org/v1'),
  tokenFile: file.describe("The platform's own admin token"),
  caFile: file.optional().describe("Certificate that vouches for the service; the system's otherwise"),
  timeoutMs: z.int().min(100).max(30_000).default(3000),
});

const refusedSeconds = z.number().min(0).max(60).default(2).describe('How long a refused token is refused without looking again');
const cacheSeconds = z.number().min(0).max(300).default(10).describe('How long a verified token is believed');
export const identitySchema = z.discriminatedUnion('adapter', [
  z.strictObject({
    adapter: z.literal('local'),
    cacheSeconds,
    refusedSeconds,
    local: z.strictObject({ keyFile: file.describe('HS256 key, at least 32 bytes'), usersFile: file.describe('JSON {"users":[…]}') }),
  }),
  z.strictObject({ adapter: z.literal('iam'), cacheSeconds, refusedSeconds, iam: iamSchema }),
  z.strictObject({ adapter: z.literal('oidc'), cacheSeconds, refusedSeconds, oidc: oidcSchema }),
]);
export type IdentityConfig = DeepReadonly<z.output<typeof identitySchema>>;
