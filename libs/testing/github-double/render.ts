import { type StoredAsset, type StoredRelease, stableId } from './model.js';

/** Where things stand, for the addresses inside of answers. */
export interface Places {
  readonly apiUrl: string;
  readonly webUrl: string;
}

/** The forms of GitHub's REST API (docs.github.com/rest/releases); the contract spec holds them to GitHub's OpenAPI description. */
export function renderRelease(release: StoredRelease, repository: string, places: Places): Record<string, unknown> {
  const url = `${places.apiUrl}/repos/${repository}/releases/${release.id}`;
  const html = `${places.webUrl}/${repository}/releases/tag/${encodePath(release.tag)}`;
  return {
    ...{ url, assets_url: `${url}/assets`, upload_url: `${url}/assets{?name,label}`, html_url: html, id: release.id },
    ...{
      author: renderUser(ownerOf(repository), places),
      node_id: nodeId('RE', release.id),
      tag_name: release.tag,
      target_commitish: 'main',
    },
    ...{ name: release.name, draft: release.draft, immutable: release.immutable, prerelease: release.prerelease },
    ...{
      created_at: iso(release.createdAt),
      updated_at: iso(release.createdAt),
      published_at: release.draft ? null : iso(release.createdAt),
    },
    assets: release.assets.map((asset) => renderAsset(asset, release, repository, places)),
    tarball_url: `${places.apiUrl}/repos/${repository}/tarball/${encodePath(release.tag)}`,
    zipball_url: `${places.apiUrl}/repos/${repository}/zipball/${encodePath(release.tag)}`,
    body: release.body,
  };
}

export function renderAsset(asset: StoredAsset, release: StoredRelease, repository: string, places: Places): Record<string, unknown> {
  return {
    url: `${places.apiUrl}/repos/${repository}/releases/assets/${asset.id}`,
    ...{ id: asset.id, node_id: nodeId('RA', asset.id), name: asset.name, label: '', uploader: renderUser(ownerOf(repository), places) },
    ...{ content_type: 'application/octet-stream', state: asset.state, size: asset.sizeBytes, digest: asset.digest, download_count: 0 },
    ...{ created_at: iso(asset.updatedAt), updated_at: iso(asset.updatedAt) },
    browser_download_url: `${places.webUrl}/${repository}/releases/download/${encodePath(release.tag)}/${encodeURIComponent(asset.name)}`,
  };
}

export function renderUser(login: string, { apiUrl, webUrl }: Places): Record<string, unknown> {
  const url = `${apiUrl}/users/${login}`;
  return {
    ...{ login, id: stableId(login), node_id: nodeId('U', stableId(login)), avatar_url: `${webUrl}/${login}.png`, gravatar_id: '', url },
    ...{ html_url: `${webUrl}/${login}`, followers_url: `${url}/followers`, following_url: `${url}/following{/other_user}` },
    ...{ gists_url: `${url}/gists{/gist_id}`, starred_url: `${url}/starred{/owner}{/repo}`, subscriptions_url: `${url}/subscriptions` },
    ...{ organizations_url: `${url}/orgs`, repos_url: `${url}/repos`, events_url: `${url}/events{/privacy}` },
    ...{ received_events_url: `${url}/received_events`, type: 'Organization', site_admin: false },
  };
}

export function renderError(status: number, message: string): Record<string, unknown> {
  return { message, documentation_url: 'https://docs.github.com/rest', status: String(status) };
}

/** `Link` as GitHub writes it: by the repository's number, not by its name. */
export function renderLink(
  repository: string,
  { page, perPage, pages }: { page: number; perPage: number; pages: number },
  { apiUrl }: Places,
): string {
  const to = (target: number, rel: string) =>
    `<${apiUrl}/repositories/${stableId(repository.toLowerCase())}/releases?per_page=${perPage}&page=${target}>; rel="${rel}"`;
  return [
    ...(page > 1 ? [to(page - 1, 'prev')] : []),
    ...(page < pages ? [to(page + 1, 'next'), to(pages, 'last')] : []),
    ...(page > 1 ? [to(1, 'first')] : []),
  ].join(', ');
}

/** GitHub's times have no milliseconds. */
export function iso(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

export function encodePath(text: string): string {
  return text.split('/').map(encodeURIComponent).join('/');
}

export function ownerOf(repository: string): string {
  return repository.split('/')[0] ?? '';
}

export function nodeId(kind: string, id: number): string {
  return `${kind}_${Buffer.from(String(id)).toString('base64url')}`;
}
