import type { ApiWorld } from './api-routes.js';
import type { Question, Reply } from './reply.js';

/** github.com: `/{owner}/{repo}/releases/download/{tag}/{file}`, the tag with its slashes. Costs no call to the API. */
export async function answerWeb({ source, access, storage, moved, places }: ApiWorld, { parts, path, method }: Question): Promise<Reply> {
  const [owner = '', name = '', kind, action, ...rest] = parts;
  if ((method !== 'GET' && method !== 'HEAD') || kind !== 'releases' || action !== 'download' || rest.length < 2) return notFound();
  const repository = `${owner}/${name}`;
  const movedTo = moved.get(repository.toLowerCase());
  if (movedTo !== undefined)
    return { status: 301, headers: { location: `${places().webUrl}/${movedTo}/${path.split('/').slice(3).join('/')}` } };
  const releases = access.maySee(repository, '') ? await source.releases(repository) : undefined;
  const release = releases?.find(({ tag, draft }) => tag === rest.slice(0, -1).join('/') && !draft);
  const asset = release?.assets.find((one) => one.name === rest.at(-1));
  return asset ? { status: 302, headers: { location: storage.sign(asset) } } : notFound();
}

function notFound(): Reply {
  return { status: 404, headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html><body>Not Found</body></html>' };
}
