import { z } from 'zod';

const sha = z.string().regex(/^[0-9a-f]{40}$/);
const time = z.iso.datetime({ offset: true });
const login = z
  .object({ login: z.string() })
  .nullish()
  .transform((user) => user?.login);

/** GitHub's answers, as far as we need them (docs.github.com/rest, version 2022-11-28). */
export const refAnswer = z.object({ object: z.object({ sha }) });

export const fileAnswer = z.object({
  type: z.literal('file'),
  sha,
  encoding: z.string(),
  content: z.string(),
  html_url: z.string().nullish(),
});

export const pullAnswer = z.object({
  number: z.int().positive(),
  html_url: z.url({ protocol: /^https?$/ }),
  state: z.enum(['open', 'closed']),
  closed_at: time.nullish(),
  merged_at: time.nullish(),
  merge_commit_sha: z.string().nullish(),
  head: z.object({ sha, ref: z.string() }),
  base: z.object({ ref: z.string() }),
});

/** With what only the question for one pull request tells. */
export const onePullAnswer = pullAnswer.extend({
  merged: z.boolean(),
  mergeable: z.boolean().nullish(),
  mergeable_state: z.string(),
  commits: z.int(),
  changed_files: z.int(),
  merged_by: login,
});

export const pullsAnswer = z.array(pullAnswer);

export const issueAnswer = z.object({ closed_by: login });

export const commitAnswer = z.object({ commit: z.object({ sha }) });

export const oneCommitAnswer = z.object({ sha, parents: z.array(z.object({ sha })) });

export const mergeAnswer = z.object({ sha, merged: z.literal(true) });

export const checkRunsAnswer = z.object({
  total_count: z.int(),
  check_runs: z.array(z.object({ name: z.string(), status: z.string(), conclusion: z.string().nullish() })),
});

export const statusAnswer = z.object({
  total_count: z.int(),
  statuses: z.array(z.object({ context: z.string(), state: z.string() })),
});

export const commitsAnswer = z.array(
  z.object({
    sha,
    author: login,
    commit: z.object({ author: z.object({ name: z.string().nullish(), date: z.string().nullish() }).nullish() }),
  }),
);
