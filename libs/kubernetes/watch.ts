import { createInterface } from 'node:readline';
import type { Agent } from 'undici';
import type { KubeObject, StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Credentials } from './credentials.js';
import { errorOfAnswer, errorOfTransport } from './errors.js';
import type { WatchChange } from './options.js';

export interface WatchOptions {
  /** The version after which changes are told. */
  readonly from: string;
  readonly labelSelector: string;
  readonly signal: AbortSignal;
}

interface Collection {
  readonly credentials: Credentials;
  readonly agent: Agent;
  readonly path: string;
  readonly about: string;
}

/** The server sends a bookmark about every minute when nothing changes. */
const SILENCE_MS = 120_000;

/** See `KubernetesClient.watch`. */
export async function watchChanges(
  { credentials, agent, path, about }: Collection,
  { from, labelSelector, signal }: WatchOptions,
  onChange: (change: WatchChange) => void,
): Promise<string> {
  const query = new URLSearchParams({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: from, labelSelector });
  let version = from;
  try {
    const answer = await agent.request({
      origin: credentials.server,
      path: `${path}?${query}`,
      method: 'GET',
      headers: { accept: 'application/json', ...(await credentials.headers()) },
      signal,
      bodyTimeout: SILENCE_MS,
    });
    if (answer.statusCode >= 400) throw errorOfAnswer(answer.statusCode, await answer.body.text(), { about, retryAfter: undefined });
    for await (const line of createInterface({ input: answer.body })) {
      const { type, object } = JSON.parse(line) as { type: string; object: KubeObject & { code?: number } };
      if (type === 'ERROR') throw errorOfAnswer(object.code ?? 500, JSON.stringify(object), { about, retryAfter: undefined });
      version = object.metadata.resourceVersion ?? version;
      if (type !== 'BOOKMARK') onChange({ type: type as WatchChange['type'], object: object as StoredObject });
    }
    return version;
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw errorOfTransport(cause, { about, caller: signal });
  }
}
