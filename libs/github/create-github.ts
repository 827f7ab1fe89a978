import type { GithubConfig } from '#libs/config/github.js';
import { GithubApi } from './api.js';
import { openAsset } from './assets.js';
import { GuardedHttp } from './http.js';
import { listReleases } from './releases.js';
import type { Github } from './types.js';

/** A client of the GitHub that is configured. Nothing is opened, read or loaded before the first question, but `caFile`. */
export function createGithub(config: GithubConfig, { now = Date.now }: { readonly now?: () => number } = {}): Github {
  const { baseUrl, webUrl, allowPrivateAddresses, caFile, timeoutMs } = config;
  const trustedOrigins = new Set([baseUrl, webUrl].map((url) => new URL(url).origin));
  const http = new GuardedHttp({ trustedOrigins, allowPrivateAddresses, caFile, timeoutMs });
  const api = new GithubApi({ config, http, now });
  return {
    listReleases: (repository, options) => listReleases(api, repository, options),
    openAsset: (repository, asset, options) => openAsset({ config, http, api, now }, repository, asset, options),
    anonymousDownloads: config.downloads === 'browser',
    close: () => http.close(),
  };
}
