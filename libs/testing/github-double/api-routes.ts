import { createHash } from 'node:crypto';
import type { Access } from './access.js';
import type { Budget } from './budget.js';
import { answerGit } from './git/routes.js';
import type { GitStore } from './git/store.js';
import type { ReleaseSource, StoredAsset, StoredRelease } from './model.js';
import { stableId } from './model.js';
import { iso, type Places, renderAsset, renderLink, renderRelease } from './render.js';
import { json, type Question, type Reply, refusal } from './reply.js';
import type { Storage } from './storage.js';
import type { Writes } from './write-routes.js';

export interface ApiWorld {
  readonly source: ReleaseSource;
  readonly access: Access;
  readonly budget: Budget;
  readonly storage: Storage;
  readonly writes: Writes;
  readonly git: GitStore;
  /** Former names, in lower case. */
  readonly moved: ReadonlyMap<string, string>;
  /** Names by number, as `Link` has them. */
  readonly numbers: Map<number, string>;
  places(): Places;
}

/** api.github.com */
export async function answerApi(world: ApiWorld, question: Question): Promise<Reply> {
  const { parts, method } = question;
  if (method === 'POST' && parts[0] === 'app' && parts[1] === 'installations' && parts[3] === 'access_tokens')
    return issueToken(world, question);
  const identity = world.access.identify(question);
  if (identity === undefined) return refusal(401, 'Bad credentials');
  if (!world.budget.spend(identity)) {
    const who = identity === '' ? '192.0.2.1' : 'user ID 1';
    return refusal(403, `API rate limit exceeded for ${who}.`, world.budget.headers(identity));
  }
  const files = world.access.maySee(`${parts[1]}/${parts[2]}`, identity)
    ? await answerGit(world.git, {
        question,
        identity,
        mayWrite: world.access.readOnly.has(identity) ? 'no' : 'yes',
        places: world.places(),
      })
    : undefined;
  const reply =
    files ??
    (method === 'GET' || method === 'HEAD'
      ? await read(world, question, identity)
      : await world.writes.answer(question, identity, world.places()));
  if (reply.status === 304 && identity !== '') world.budget.giveBack(identity);
  return { ...reply, headers: { ...reply.headers, ...world.budget.headers(identity) } };
}

async function read(world: ApiWorld, question: Question, identity: string): Promise<Reply> {
  const { parts } = question;
  const byNumber = parts[0] === 'repositories';
  const named = byNumber ? world.numbers.get(Number(parts[1])) : `${parts[1]}/${parts[2]}`;
  if (named === undefined || (!byNumber && parts[0] !== 'repos')) return refusal(404, 'Not Found');
  const [kind, ...rest] = parts.slice(byNumber ? 2 : 3);
  const movedTo = world.moved.get(named.toLowerCase());
  if (movedTo !== undefined) {
    remember(world, movedTo);
    const to = `${world.places().apiUrl}/repositories/${stableId(movedTo.toLowerCase())}/${[kind, ...rest].join('/')}?${question.query}`;
    return json(301, { message: 'Moved Permanently', url: to, documentation_url: 'https://docs.github.com/rest' }, { location: to });
  }
  const releases = world.access.maySee(named, identity) ? await world.source.releases(named) : undefined;
  if (!releases || kind !== 'releases') return refusal(404, 'Not Found');
  remember(world, named);
  if (rest.length === 0) return list(world, { question, identity, repository: named, releases });
  if (rest[0] === 'assets') return asset(world, question, named, findAsset(releases, Number(rest[1])));
  const tag = rest[0] === 'tags' ? rest.slice(1).join('/') : undefined;
  const one = releases.find(({ id, tag: its, draft }) => (tag === undefined ? id === Number(rest[0]) : its === tag && !draft));
  return one ? conditional(question, identity, renderRelease(one, named, world.places())) : refusal(404, 'Not Found');
}

function list(
  world: ApiWorld,
  {
    question,
    identity,
    repository,
    releases,
  }: { question: Question; identity: string; repository: string; releases: readonly StoredRelease[] },
): Reply {
  const perPage = Math.min(Math.max(Number(question.query.get('per_page') ?? 30) || 30, 1), 100);
  const page = Math.max(Number(question.query.get('page') ?? 1) || 1, 1);
  const shown = releases.filter(({ draft }) => !draft || identity !== '');
  const pages = Math.max(Math.ceil(shown.length / perPage), 1);
  const body = shown.slice((page - 1) * perPage, page * perPage).map((release) => renderRelease(release, repository, world.places()));
  const link = renderLink(repository, { page, perPage, pages }, world.places());
  return conditional(question, identity, body, link === '' ? {} : { link });
}

/** GitHub's ETags depend on who asks. */
function conditional(question: Question, identity: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const etag = `W/"${createHash('sha256').update(JSON.stringify(value)).update(identity).digest('hex')}"`;
  const all = { ...headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60', vary: 'Accept, Authorization' };
  return question.headers['if-none-match'] === etag ? { status: 304, headers: all } : json(200, value, all);
}

function asset(world: ApiWorld, question: Question, repository: string, found: ReturnType<typeof findAsset>): Reply {
  if (!found) return refusal(404, 'Not Found');
  if (question.headers.accept !== 'application/octet-stream')
    return json(200, renderAsset(found.asset, found.release, repository, world.places()));
  return { status: 302, headers: { location: world.storage.sign(found.asset) } };
}

function findAsset(releases: readonly StoredRelease[], id: number): { release: StoredRelease; asset: StoredAsset } | undefined {
  for (const release of releases) {
    const found = release.assets.find((one) => one.id === id);
    if (found) return { release, asset: found };
  }
  return undefined;
}

function issueToken({ access }: ApiWorld, question: Question): Reply {
  const issued = access.issue(Number(question.parts[2]), question);
  if (issued === 401) return refusal(401, 'A JSON web token could not be decoded');
  if (issued === 404) return refusal(404, 'Not Found');
  const { token, expiresAt } = issued;
  return json(201, { token, expires_at: iso(expiresAt), permissions: { contents: 'read', metadata: 'read' }, repository_selection: 'all' });
}

function remember({ numbers }: ApiWorld, repository: string): void {
  numbers.set(stableId(repository.toLowerCase()), repository);
}
