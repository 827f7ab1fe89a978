import type { z } from 'zod';

/** One thing wrong with the configuration: which setting, and what to do about it. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(name: string, problems: readonly Problem[]) {
    super(`${name}: the configuration has ${problems.length} problem(s)\n${problems.map((p) => `  ${p.path}: ${p.message}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Zod's issues as problems; of a union, those of the alternative that was meant, which is the one with the fewest. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): Problem[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not a known setting' }));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const meant = [...issue.errors].sort((a, b) => a.length - b.length)[0] ?? [];
      return problemsOf(meant, path);
    }
    const missing = issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message);
    return [{ path: path.join('.') || '(all)', message: missing ? 'is required' : issue.message }];
  });
}
