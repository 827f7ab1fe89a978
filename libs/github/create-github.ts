import type { GithubConfig } from '#libs/config/github.js';
import { GithubApi } from './api.js';
import { openAsset } from './assets.js';
import { GuardedHttp } from './http.js';
import { listReleases } from './releases.js';
import type { Github } from './types.js';

/** A client of the GitHub that is configured. Nothing is opened, read or loaded before the first question, but `caFile`. */
export function createGithub(config: GithubConfig, { now = Date.now }: { readonly now?: () => number } = {}): Github {
  const { api, http } = createGithubApi(config, { now });
  return {
    listReleases: (repository, options) => listReleases(api, repository, options),
    openAsset: (repository, asset, options) => openAsset({ config, http, api, now }, repository, asset, options),
    anonymousDownloads: config.downloads === 'browser',
    close: () => http.close(),
  };
}

/** The REST API alone, for what `Github` does not do: the same credentials, limits, deadlines and rules for addresses. */
export function createGithubApi(
  config: GithubConfig,
  { now = Date.now }: { readonly now?: () => number } = {},
): { readonly api: GithubApi; readonly http: GuardedHttp } {
  const { baseUrl, webUrl, allowPrivateAddresses, caFile, timeoutMs } = config;
  const trustedOrigins = new Set([baseUrl, webUrl].map((url) => new URL(url).origin));
  const http = new GuardedHttp({ trustedOrigins, allowPrivateAddresses, caFile, timeoutMs });
  return { api: new GithubApi({ config, http, now }), http };
}
