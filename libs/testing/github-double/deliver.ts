import { createHmac, randomUUID } from 'node:crypto';
import type { StoredRelease } from './model.js';
import { stableId } from './model.js';
import { iso, nodeId, ownerOf, type Places, renderRelease, renderUser } from './render.js';

export interface WebhookEvent {
  /** Default `published`. */
  readonly action?: 'published' | 'released' | 'prereleased' | 'edited' | 'deleted' | 'unpublished' | 'created';
  /** `owner/name` */
  readonly repository: string;
  readonly release: StoredRelease;
  /** The same for a redelivery; a new one by default. */
  readonly deliveryId?: string;
}

export interface Delivery {
  readonly deliveryId: string;
  readonly status: number;
  readonly text: string;
}

/** GitHub gives a receiver ten seconds. */
const TIMEOUT_MS = 10_000;

/** Sends a `release` event as GitHub does (docs.github.com/webhooks). */
export async function deliver(url: string, secret: string, event: WebhookEvent, places: Places): Promise<Delivery> {
  const deliveryId = event.deliveryId ?? randomUUID();
  const body = JSON.stringify(renderEvent(event, places));
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: {
      ...{ 'content-type': 'application/json', 'user-agent': 'GitHub-Hookshot/0000000', accept: '*/*' },
      ...{
        'x-github-event': 'release',
        'x-github-delivery': deliveryId,
        'x-github-hook-id': '1',
        'x-github-hook-installation-target-type': 'repository',
      },
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { deliveryId, status: answer.status, text: await answer.text() };
}

export function renderEvent({ action = 'published', repository, release }: WebhookEvent, places: Places): Record<string, unknown> {
  return {
    action,
    ...(action === 'edited' ? { changes: {} } : {}),
    release: renderRelease(release, repository, places),
    repository: renderRepository(repository, places),
    sender: renderUser(ownerOf(repository), places),
  };
}

const PLAIN_LINKS = [
  'contributors',
  'deployments',
  'downloads',
  'events',
  'forks',
  'hooks',
  'languages',
  'merges',
  'stargazers',
  'subscribers',
  'subscription',
  'tags',
  'teams',
];
const TEMPLATE_LINKS = [
  ...[
    'archive',
    'assignees',
    'blobs',
    'branches',
    'collaborators',
    'comments',
    'commits',
    'compare',
    'contents',
    'git_commits',
    'git_refs',
  ],
  ...[
    'git_tags',
    'issue_comment',
    'issue_events',
    'issues',
    'keys',
    'labels',
    'milestones',
    'notifications',
    'pulls',
    'releases',
    'statuses',
    'trees',
  ],
];

export function renderRepository(fullName: string, places: Places): Record<string, unknown> {
  const url = `${places.apiUrl}/repos/${fullName}`;
  const html = `${places.webUrl}/${fullName}`;
  const id = stableId(fullName.toLowerCase());
  const links = [...PLAIN_LINKS.map((kind) => [kind, '']), ...TEMPLATE_LINKS.map((kind) => [kind, '{/id}'])];
  const long = iso(new Date(0));
  return {
    ...Object.fromEntries(links.map(([kind, end]) => [`${kind}_url`, `${url}/${kind}${end}`])),
    ...{ id, node_id: nodeId('R', id), name: fullName.split('/')[1], full_name: fullName, owner: renderUser(ownerOf(fullName), places) },
    ...{
      private: false,
      html_url: html,
      description: null,
      fork: false,
      url,
      homepage: null,
      language: null,
      license: null,
      mirror_url: null,
    },
    ...{
      clone_url: `${html}.git`,
      git_url: `${html}.git`,
      ssh_url: `git@example.invalid:${fullName}.git`,
      svn_url: html,
      default_branch: 'main',
    },
    ...{ has_downloads: true, has_issues: true, has_projects: false, has_wiki: false, has_pages: false, archived: false, disabled: false },
    ...{ forks: 0, forks_count: 0, open_issues: 0, open_issues_count: 0, stargazers_count: 0, watchers: 0, watchers_count: 0, size: 0 },
    ...{ created_at: long, updated_at: long, pushed_at: long },
  };
}
