import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { file } from './schemas.js';

const httpUrl = z.url({ protocol: /^https?$/ });
const hostAndPort = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/, 'must be a host in lower case, with or without port');
const positive = z.int().min(1);

const auth = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('token'), tokenFile: file.describe('Holds the token; read again at each use') }),
  z.strictObject({
    kind: z.literal('app'),
    appId: positive,
    installationId: positive,
    privateKeyFile: file.describe("The App's private key (PEM)"),
  }),
]);

/** GitHub's own hosts of release assets. */
const ASSET_HOSTS = [
  'github.com',
  'objects.githubusercontent.com',
  'release-assets.githubusercontent.com',
  'github-releases.githubusercontent.com',
];

/** A GitHub, be it github.com, a GitHub Enterprise Server or a double. */
export const githubSchema = z
  .strictObject({
    baseUrl: httpUrl.default('https://api.github.com').describe('The REST API; https://<host>/api/v3 for GitHub Enterprise Server'),
    webUrl: httpUrl.default('https://github.com').describe('Where people see repositories'),
    auth: auth.default({ kind: 'none' }).describe('none: 60 calls an hour for each address; token; app: an installation of a GitHub App'),
    downloads: z
      .enum(['browser', 'api'])
      .default('browser')
      .describe('browser: assets of public repositories, costs no API call; api: with the credential, for private repositories'),
    assetHosts: z
      .array(hostAndPort)
      .default(ASSET_HOSTS)
      .describe('Hosts that assets may be read from, beside those of baseUrl and webUrl; a port other than the usual one must be named'),
    allowPrivateAddresses: z
      .boolean()
      .default(false)
      .describe('Follow a redirect to an address that is not public; those of baseUrl and webUrl may always be private'),
    caFile: file.optional().describe("Certificates that vouch for this GitHub; the system's otherwise"),
    timeoutMs: z
      .int()
      .min(100)
      .max(300_000)
      .default(30_000)
      .describe('Longest time of a call to the API, and longest silence of a download'),
  })
  .prefault({})
  .describe('The GitHub whose releases are read');
export type GithubConfig = DeepReadonly<z.output<typeof githubSchema>>;
