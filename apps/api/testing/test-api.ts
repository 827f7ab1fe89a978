import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { z } from 'zod';
import { imagesSchema } from '#libs/config/images.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { createIdentityFrom } from '#libs/identity/create-identity.js';
import type { AccountInfo, Identity } from '#libs/identity/identity.js';
import { Staging } from '#libs/images/staging.js';
import { createLogger } from '#libs/logging/logger.js';
import { createSealing, type Sealing } from '#libs/sealing/sealing.js';
import { createApp } from '../app.js';
import type { ApiDependencies } from '../dependencies.js';
import { RouteTable } from '../http/route-table.js';
import { createMetrics } from '../metrics/metrics.js';
import { createLxdStub, type LxdStub } from './lxd-stub.js';
import { createOperationsFake, type OperationsFake } from './operations-fake.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

export interface TestApi {
  readonly app: NestFastifyApplication;
  readonly lxd: LxdStub;
  readonly operations: OperationsFake;
  readonly sealing: Sealing;
  readonly logLines: string[];
  readonly routes: RouteTable;
  readonly staging: Staging;
  identityFailure: PlatformError | undefined;
  /** `token` is a user name; a body that is a text or bytes is sent as it is. */
  call(request: {
    readonly method?: string;
    readonly path: string;
    readonly token?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
  }): Promise<Answer>;
}

/** Of alice; bob has none. */
export const ALICES_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKLUPU5dgVbkAWTNzCsJkG1fFNEgT3ZsnOAXaUdpD3wq alice@home';

const STAGING_BYTES = 200_000;
export const UPLOAD_BYTES = 100_000;

const USERS: readonly AccountInfo[] = [
  { id: '12', username: 'alice', isAdmin: false, sshKey: ALICES_KEY },
  { id: '13', username: 'bob', isAdmin: false },
  { id: '1', username: 'root', isAdmin: true },
];

interface TestConfig {
  readonly allowedOrigins?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly bodyBytes?: number;
  readonly streams?: Partial<ApiDependencies['config']['streams']>;
  readonly webhookSecret?: string;
  readonly images?: z.input<typeof imagesSchema>;
  readonly rate?: Partial<ApiDependencies['config']['limits']['rate']>;
}

/** The API with doubles for everything outside; a token is just a user name. */
export async function startTestApi(config: TestConfig = {}): Promise<TestApi> {
  const lxd = createLxdStub();
  const operations = createOperationsFake();
  const sealing = createSealing({ current: 'k1', keys: new Map([['k1', randomBytes(32)]]) });
  const logLines: string[] = [];
  const stagingFolder = mkdtempSync(join(tmpdir(), 'webspaces-staging-'));
  const staging = new Staging({ folder: stagingFolder, limitBytes: STAGING_BYTES });
  const dependencies: ApiDependencies = {
    config: configOf(config, stagingFolder),
    logger: createLogger({ name: 'api', level: 'debug', destination: { write: (line) => logLines.push(line) } }),
    lxd: lxd.client,
    identity: identityOf(() => api.identityFailure),
    operations,
    sealing,
    metrics: createMetrics({ processMetrics: false }),
    staging,
    webhookSecret: config.webhookSecret,
  };
  const routes = new RouteTable();
  const app = await createApp(dependencies, routes);
  // A hook of Fastify comes too late: it is ready.
  const close = app.close.bind(app);
  app.close = async () => {
    await close();
    rmSync(stagingFolder, { recursive: true, force: true });
  };
  const api: TestApi = {
    app,
    lxd,
    operations,
    sealing,
    logLines,
    routes,
    staging,
    identityFailure: undefined,
    async call({ method = 'GET', path, token, body, headers = {} }) {
      const answer = await app.inject({
        method: method as 'GET',
        url: path,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.payload,
        json: () => JSON.parse(answer.payload) as Record<string, unknown>,
      };
    },
  };
  return api;
}

function identityOf(failure: () => PlatformError | undefined): Identity {
  const guard = () => {
    const error = failure();
    if (error) throw error;
  };
  const verify = async (token: string) => {
    guard();
    const account = USERS.find(({ username }) => username === token);
    if (!account) throw new PlatformError('UNAUTHORIZED', 'The token is not accepted: it is not valid. Log in again.');
    return { account, isAdmin: account.isAdmin, expiresAt: Date.now() + 60_000 };
  };
  const directory = {
    byId: async (id: string) => USERS.find((user) => user.id === id),
    byName: async (name: string) => USERS.find((user) => user.username === name),
  };
  return createIdentityFrom({ verify, directory, check: async () => guard() }, { cacheMs: 0 });
}

function configOf(
  { allowedOrigins = [], trustedProxies = [], bodyBytes = 4096, rate = {}, streams = {}, images = {} }: TestConfig,
  stagingFolder: string,
): ApiDependencies['config'] {
  return {
    publicUrl: 'http://api.test',
    cors: { allowedOrigins },
    trustedProxies,
    images: imagesSchema.parse({ ...images, stagingFolder, stagingBytes: STAGING_BYTES, uploadBytes: UPLOAD_BYTES }),
    streams: {
      perWebspace: 2,
      total: 3,
      pingSeconds: 10,
      idleSeconds: 0,
      messageBytes: 65_536,
      ticketSeconds: 30,
      commandsPerWebspace: 2,
      commands: 3,
      outputBytes: 1024,
      ...streams,
    },
    limits: {
      bodyBytes,
      waitSeconds: 1,
      temporalTimeoutMs: 500,
      queryTimeoutMs: 500,
      lxdTimeoutMs: 500,
      rate: { windowSeconds: 60, perToken: 0, changesPerToken: 0, perAddress: 0, ...rate },
      eventStreams: 2,
      shutdownSeconds: 1,
    },
    platform: {
      baseDomain: 'ws.test',
      instancePrefix: 'ws-',
      profiles: ['default'],
      network: 'lxdbr0',
      nic: { isolation: 'strict' },
      addressRange: { from: '10.77.1.0', to: '10.77.2.255' },
      forwarding: { serviceType: 'LoadBalancer', annotations: {} },
      portRange: { from: 49152, to: 65535 },
      addressRestSeconds: 600,
      entryPoint: 'websecure',
      publicPort: 8443,
      defaults: { httpPort: 80, startupDelaySeconds: 3 },
      reservedDomains: ['localhost'],
      limits: { startupDelaySeconds: 60, portForwards: 64, domains: 32 },
    },
  };
}
