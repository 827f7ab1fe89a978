import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

export interface Credentials {
  readonly server: string;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly rejectUnauthorized?: boolean };
  /** Authorization headers; re-read once a minute at most, since service account tokens rotate. */
  headers(): Promise<Record<string, string>>;
}

const HEADERS_MAX_AGE_MS = 60_000;
/** Where a pod has what it needs to talk to its own cluster. */
const POD = '/var/run/secrets/kubernetes.io/serviceaccount';

const named = <S extends z.ZodType>(key: string, inner: S) => z.array(z.looseObject({ name: z.string(), [key]: inner })).default([]);
const kubeconfigSchema = z.looseObject({
  'current-context': z.string().default(''),
  clusters: named('cluster', z.looseObject({})),
  users: named('user', z.looseObject({})),
  contexts: named('context', z.looseObject({})),
});
const clusterSchema = z.looseObject({
  server: z.string(),
  'certificate-authority-data': z.string().optional(),
  'certificate-authority': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
});
const userSchema = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-certificate': z.string().optional(),
  'client-key-data': z.string().optional(),
  'client-key': z.string().optional(),
});
type User = z.output<typeof userSchema>;

export interface Access {
  /** A kubeconfig file; the pod's service account when absent. */
  readonly kubeconfig?: string | undefined;
  /** Where the service account is good. */
  readonly server?: string | undefined;
}

/** @throws PlatformError INVALID_INPUT naming the setting when there is no cluster in it. */
export function loadCredentials({ kubeconfig, server }: Access): Credentials {
  return kubeconfig === undefined ? ofPod(server) : ofFile(kubeconfig);
}

function ofPod(server: string | undefined): Credentials {
  if (server === undefined) throw noCluster('the service account');
  return {
    server,
    tls: { ca: readFileSync(`${POD}/ca.crt`, 'utf8') },
    headers: remembered(async () => bearer(readFileSync(`${POD}/token`, 'utf8'))),
  };
}

function ofFile(file: string): Credentials {
  const config = kubeconfigSchema.parse(parse(readFileSync(file, 'utf8')) ?? {});
  const context = config.contexts.find(({ name }) => name === config['current-context'])?.['context'] as
    | Record<string, unknown>
    | undefined;
  const pick = (kind: 'cluster' | 'user') => config[`${kind}s`].find(({ name }) => name === context?.[kind])?.[kind];
  const found = clusterSchema.safeParse(pick('cluster'));
  if (!found.success) throw noCluster(file);
  const cluster = found.data;
  const user = userSchema.parse(pick('user') ?? {});
  const content = (data: string | undefined, path: string | undefined) => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return path ? readFileSync(resolve(dirname(file), path), 'utf8') : undefined;
  };
  const ca = content(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = content(user['client-certificate-data'], user['client-certificate']);
  const key = content(user['client-key-data'], user['client-key']);
  return {
    server: cluster.server.replace(/\/$/, ''),
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(cluster['insecure-skip-tls-verify'] ? { rejectUnauthorized: false } : {}),
    },
    headers: remembered(() => headersOf(user, file)),
  };
}

async function headersOf(user: User, file: string): Promise<Record<string, string>> {
  if (user.tokenFile) return bearer(readFileSync(resolve(dirname(file), user.tokenFile), 'utf8'));
  if (user.token) return bearer(user.token);
  const others = Object.keys(user).filter((key) => !key.startsWith('client-') && key !== 'token' && key !== 'tokenFile');
  return others.length === 0 ? {} : headersByPlugin(file);
}

/** Programs and providers that make tokens. The package is 80 MB in memory, so only who needs it loads it. */
async function headersByPlugin(file: string): Promise<Record<string, string>> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(file);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token.trim()}` };
}

function remembered(read: () => Promise<Record<string, string>>): () => Promise<Record<string, string>> {
  // By the steady clock: one that is set back would keep a token that has been replaced.
  let cached: { readonly headers: Record<string, string>; readonly untilMs: number } | undefined;
  return async () => {
    if (cached && cached.untilMs > performance.now()) return cached.headers;
    const headers = await read();
    cached = { headers, untilMs: performance.now() + HEADERS_MAX_AGE_MS };
    return headers;
  };
}

function noCluster(where: string): PlatformError {
  return new PlatformError('INVALID_INPUT', `kubernetes.kubeconfig: ${where} names no current cluster.`, {
    details: { field: 'kubernetes.kubeconfig' },
  });
}
