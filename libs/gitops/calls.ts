import type { z } from 'zod';
import type { ApiCall, GithubApi } from '#libs/github/api.js';
import { protocolError } from '#libs/github/errors.js';
import { parseRepository } from '#libs/github/repository.js';
import type { Repository } from '#libs/github/types.js';

export interface RepositoryCall<T> extends Omit<ApiCall, 'path' | 'method' | 'answers'> {
  readonly method?: ApiCall['method'];
  /** Below the repository, with `{parameters}`: `/pulls/{number}`. */
  readonly path: string;
  readonly schema: z.ZodType<T>;
}

/** GitHub's answer, or one of the statuses that the caller takes for an answer, with GitHub's own sentence. */
export type Refused<S extends number> = { readonly status: S; readonly says: string };

/** Calls for one repository, whose answers are parsed. */
export class RepositoryCalls {
  readonly #api: GithubApi;
  readonly #prefix: string;
  readonly name: string;

  constructor(api: GithubApi, repository: Repository) {
    const { owner, name } = parseRepository(repository.owner, repository.name);
    this.#api = api;
    this.#prefix = `/repos/${owner}/${name}`;
    this.name = `${owner}/${name}`;
  }

  /** @throws PlatformError PROTOCOL for an answer of another form, and as `Github` does. */
  async ask<T>(call: RepositoryCall<T>): Promise<T> {
    const { data } = await this.#send(call, []);
    return parsed(call, data);
  }

  /** As {@link ask}, with refusals that are answers. */
  async try<T, S extends number>(
    call: RepositoryCall<T>,
    refusals: readonly S[],
  ): Promise<{ readonly status: 'done'; readonly data: T } | Refused<S>> {
    const { status, data } = await this.#send(call, refusals);
    const refusal = refusals.find((one) => one === status);
    if (refusal !== undefined) return { status: refusal, says: sentenceOf(data) };
    return { status: 'done', data: parsed(call, data) };
  }

  #send({ method = 'GET', path, schema: _schema, ...call }: RepositoryCall<unknown>, answers: readonly number[]) {
    return this.#api.call({ ...call, method, path: `${this.#prefix}${path}`, answers });
  }
}

function parsed<T>({ schema, what }: RepositoryCall<T>, data: unknown): T {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw protocolError(what, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown form'}`);
}

/** With the reasons that GitHub lists beside it. */
function sentenceOf(data: unknown): string {
  const { message = '', errors = [] } = (data ?? {}) as { message?: unknown; errors?: unknown };
  const reasons = (Array.isArray(errors) ? errors : []).map((one) =>
    typeof one === 'string' ? one : String((one as { message?: unknown })?.message ?? ''),
  );
  return [String(message), ...reasons]
    .filter((text) => text !== '')
    .join(': ')
    .slice(0, 300);
}
