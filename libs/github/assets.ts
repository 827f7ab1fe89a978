import type { GithubConfig } from '#libs/config/github.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { GithubApi } from './api.js';
import { assetBody } from './asset-body.js';
import { forbidden, protocolError, sayUrl, statusError } from './errors.js';
import { discard, type GuardedHttp, type HttpAnswer, headerOf } from './http.js';
import { retryAfterOf } from './limits.js';
import { MAX_HOPS, redirectOf, tooManyRedirects } from './redirects.js';
import { parseRepository } from './repository.js';
import type { AssetBytes, AssetOptions, ReleaseAsset, Repository } from './types.js';

export interface AssetDownloads {
  readonly config: GithubConfig;
  readonly http: GuardedHttp;
  readonly api: GithubApi;
  readonly now: () => number;
}

interface Hop {
  readonly url: URL;
  /** Present only while we are at the API that it is for. */
  readonly authorization?: string;
}

/** @see Github.openAsset */
export async function openAsset(
  downloads: AssetDownloads,
  repository: Repository,
  asset: ReleaseAsset,
  options: AssetOptions = {},
): Promise<AssetBytes> {
  const { owner, name } = parseRepository(repository.owner, repository.name);
  const what = `read ${asset.name} of ${owner}/${name}`;
  const viaApi = downloads.config.downloads === 'api';
  const { token, limitsOf } = viaApi ? await downloads.api.credentials.current() : { token: undefined, limitsOf: 'browser' };
  downloads.api.limits.check(limitsOf, what);
  const begin: Hop = viaApi
    ? {
        url: new URL(`${downloads.config.baseUrl.replace(/\/+$/, '')}/repos/${owner}/${name}/releases/assets/${asset.id}`),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      }
    : { url: new URL(asset.downloadUrl) };
  const { answer, url } = await follow(downloads, begin, options, what);
  if (answer.status === 200 || answer.status === 206) return bytesOf(answer, { asset, options, what });
  const says = await sentenceOf(answer);
  downloads.api.limits.note(limitsOf, what, { status: answer.status, headers: answer.headers, says });
  const byApi = viaApi && url.origin === begin.url.origin;
  if (byApi && answer.status === 401) downloads.api.credentials.refused();
  throw refusalOf({ answer, says, what, byApi }, downloads);
}

async function follow(downloads: AssetDownloads, begin: Hop, { from, to, signal }: AssetOptions, what: string) {
  const range = from === undefined && to === undefined ? {} : { range: `bytes=${from ?? 0}-${to ?? ''}` };
  let { url, authorization } = begin;
  for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
    assertAllowed(url, downloads.config, what);
    const headers = {
      ...{ accept: 'application/octet-stream', 'accept-encoding': 'identity', 'user-agent': 'webspaces' },
      ...range,
      ...(authorization === undefined ? {} : { authorization, 'x-github-api-version': '2022-11-28' }),
    };
    const answer = await downloads.http.open({ url, headers, signal, what });
    const next = redirectOf(answer, url, what);
    if (!next) return { answer, url };
    await discard(answer);
    if (next.origin !== url.origin) authorization = undefined;
    url = next;
  }
  throw tooManyRedirects(what);
}

/** @throws PlatformError FORBIDDEN for a place that assets are not read from. */
function assertAllowed(url: URL, { baseUrl, webUrl, assetHosts }: GithubConfig, what: string): void {
  const plain = new URL(baseUrl).protocol === 'http:';
  if (url.protocol !== 'https:' && !(plain && url.protocol === 'http:')) {
    throw forbidden(`Not followed when asked to ${what}: ${sayUrl(url)} is not https.`, 'not-https');
  }
  if (url.username !== '' || url.password !== '') throw forbidden(`Not followed when asked to ${what}: a URL with a password.`, 'userinfo');
  if (assetHosts.includes(url.host) || [baseUrl, webUrl].some((known) => new URL(known).host === url.host)) return;
  throw forbidden(`Not followed when asked to ${what}: ${url.host} is not among the hosts of assets.`, 'foreign-host');
}

async function bytesOf(
  answer: HttpAnswer,
  { asset, options, what }: { readonly asset: ReleaseAsset; readonly options: AssetOptions; readonly what: string },
): Promise<AssetBytes> {
  const problem = (why: string) => {
    // Destroyed unread, it says that it was aborted: we know.
    answer.body.on('error', () => undefined).destroy();
    return protocolError(what, why);
  };
  const encoding = headerOf(answer.headers, 'content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw problem(`it is encoded as ${encoding}`);
  const length = numberOf(headerOf(answer.headers, 'content-length'));
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headerOf(answer.headers, 'content-range') ?? '') ?? [];
  if (answer.status === 206 && (first === undefined || last === undefined)) throw problem('a part of it does not say which');
  const startsAt = answer.status === 206 ? Number(first) : 0;
  const totalBytes = (answer.status === 206 ? numberOf(total) : length) ?? asset.sizeBytes;
  if (totalBytes !== asset.sizeBytes) throw problem(`it has ${totalBytes} bytes, and was announced with ${asset.sizeBytes}`);
  const expected = answer.status === 206 ? Number(last) - startsAt + 1 : totalBytes;
  if (expected < 0 || startsAt + expected > totalBytes) throw problem('a part of it lies outside of it');
  return { body: assetBody(answer.body, { expected, what, signal: options.signal }), startsAt, totalBytes };
}

function refusalOf(
  { answer, says, what, byApi }: { readonly answer: HttpAnswer; readonly says: string; readonly what: string; readonly byApi: boolean },
  { now }: AssetDownloads,
): PlatformError {
  const { status, headers } = answer;
  const retryAfterMs = retryAfterOf(headers, now());
  const details = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 416) return protocolError(what, 'it ends before the part that was asked for');
  if (byApi || (status !== 401 && status !== 403)) return statusError(what, status, says, details);
  // No credential of ours was shown: the signature in the address has expired, and the next question gets a new one.
  return new PlatformError('UNAVAILABLE', `GitHub's storage answered ${status} when asked to ${what}: the address has expired.`, {
    details: { status, reason: 'expired-address', ...details },
  });
}

/** GitHub's own sentence, out of an error's body of at most 64 KiB; nothing of a storage's, which may quote the signature. */
async function sentenceOf(answer: HttpAnswer): Promise<string> {
  if (!/json/.test(headerOf(answer.headers, 'content-type') ?? '') || Number(headerOf(answer.headers, 'content-length') ?? 0) > 65_536) {
    await discard(answer);
    return '';
  }
  try {
    const { message } = (await answer.body.json()) as { message?: unknown };
    return typeof message === 'string' ? message : '';
  } catch {
    return ''; // judged by its status
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
