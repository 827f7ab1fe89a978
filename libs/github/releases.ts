import { type ApiAnswer, type GithubApi } from './api.js';
import { protocolError } from './errors.js';
import { headerOf } from './http.js';
import { rateOf } from './limits.js';
import { parseRepository } from './repository.js';
import { releasesAnswer } from './schemas.js';
import type { ListAnswer, ListOptions, RateState, Release, ReleaseListing, ReleasePage, Repository } from './types.js';

const PER_PAGE = 100;
/** GitHub shows the newest 10 000 releases. */
const MAX_PAGES = 100;

/** All releases of a listing in GitHub's order, each once: between two pages one may move on. */
export function releasesOf({ pages }: ReleaseListing): Release[] {
  return [...new Map(pages.flatMap(({ releases }) => releases.map((release) => [release.id, release] as const))).values()];
}

/** @see Github.listReleases */
export async function listReleases(api: GithubApi, repository: Repository, options: ListOptions = {}): Promise<ListAnswer> {
  const { known, depth = 'all', signal } = options;
  const { owner, name } = parseRepository(repository.owner, repository.name);
  const what = `list the releases of ${owner}/${name}`;
  const pages: ReleasePage[] = [];
  let rate: RateState = {};
  let changed = false;
  let calls = 0;
  let path: string | undefined = `/repos/${owner}/${name}/releases?per_page=${PER_PAGE}`;
  for (let at = 0; path !== undefined; at += 1) {
    if (at >= MAX_PAGES) throw protocolError(what, `there are more than ${MAX_PAGES} pages`);
    const old = known?.pages[at];
    const answer = await api.get({ path, etagFor: (identity) => etagFor(old, identity), signal, what });
    rate = rateOf(answer.headers);
    calls += answer.calls;
    if (answer.status === 304 && known && at === 0 && depth === 'first') {
      return { listing: known, changed: false, calls, rate };
    }
    const page: ReleasePage = answer.status === 304 && old ? old : pageOf(answer, what);
    changed ||= page !== old;
    pages.push(page);
    path = page.next;
  }
  changed ||= pages.length !== known?.pages.length;
  return { listing: { pages }, changed, calls, rate };
}

function etagFor(page: ReleasePage | undefined, identity: string): string | undefined {
  return page?.identity === identity ? page.etag : undefined;
}

function pageOf(answer: ApiAnswer, what: string): ReleasePage {
  const parsed = releasesAnswer.safeParse(answer.data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw protocolError(what, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown form'}`);
  }
  const etag = headerOf(answer.headers, 'etag');
  const next = nextOf(headerOf(answer.headers, 'link') ?? '');
  return {
    ...(etag === undefined ? {} : { etag, identity: answer.identity }),
    releases: parsed.data,
    hasNext: next !== undefined,
    ...(next === undefined ? {} : { next }),
  };
}

/** The address with `rel="next"`. */
function nextOf(link: string): string | undefined {
  return /<([^<>]+)>\s*;[^,<]*\brel="?next"?/.exec(link)?.[1];
}
