import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { PlatformError } from '#libs/errors/platform-error.js';

export interface Credentials {
  readonly server: string;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly rejectUnauthorized?: boolean };
  /** Authorization headers; re-read once a minute at most, since service account tokens rotate. */
  headers(): Promise<Record<string, string>>;
}

const HEADERS_MAX_AGE_MS = 60_000;

/**
 * Reads a kubeconfig file, or the pod's service account when none is given.
 * @throws PlatformError INVALID_INPUT naming the setting when there is no cluster in it.
 */
export function loadCredentials(kubeconfig: string | undefined): Credentials {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new PlatformError('INVALID_INPUT', `kubernetes.kubeconfig: ${kubeconfig ?? 'the service account'} names no current cluster.`, {
      details: { field: 'kubernetes.kubeconfig' },
    });
  }
  const user = config.getCurrentUser();
  const ca = content(cluster.caData, cluster.caFile);
  const cert = content(user?.certData, user?.certFile);
  const key = content(user?.keyData, user?.keyFile);
  let cached: { readonly headers: Record<string, string>; readonly until: number } | undefined;
  return {
    server: cluster.server,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
    },
    async headers() {
      if (cached && cached.until > Date.now()) return cached.headers;
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
      cached = { headers, until: Date.now() + HEADERS_MAX_AGE_MS };
      return headers;
    },
  };
}

/** Inline data wins over a file, as in kubectl. */
function content(data: string | undefined, file: string | undefined): string | undefined {
  if (data) return Buffer.from(data, 'base64').toString('utf8');
  return file ? readFileSync(file, 'utf8') : undefined;
}
