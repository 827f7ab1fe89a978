import { accessSync, constants } from 'node:fs';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type DeepReadonly, deepFreeze } from './freeze.js';
import { environmentNameOf, leavesOf } from './leaves.js';
import { withPodService } from './pod-service.js';
import { ConfigError, type Problem, problemsOf } from './problems.js';
import { overlay, parseArguments, readYamlFile } from './sources.js';

export interface ConfigRequest<S extends z.ZodType> {
  /** Name of the process, for messages. */
  readonly name: string;
  readonly schema: S;
  /** Arguments without the interpreter and script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type ConfigAnswer<S extends z.ZodType> =
  | { readonly kind: 'config'; readonly config: DeepReadonly<z.output<S>> }
  | { readonly kind: 'text'; readonly text: string };

/** File, then environment, then flags; throws ConfigError with every problem at once. Touches nothing but the files it reads. */
export function readConfig<S extends z.ZodType>({ name, schema, argv, env }: ConfigRequest<S>): ConfigAnswer<S> {
  const problems: Problem[] = [];
  const leaves = leavesOf(schema);
  const args = parseArguments(argv, problems);
  if (args.help) return { kind: 'text', text: helpText(name, schema) };
  const told = overlay(args.configFile ? readYamlFile(args.configFile, problems) : {}, leaves, { env, flags: args.settings }, problems);
  const raw = leaves.has('kubernetes.server') ? withPodService(told, env) : told;
  const result = schema.safeParse(raw, { reportInput: true });
  if (!result.success) throw new ConfigError(name, [...problems, ...problemsOf(result.error.issues)]);
  problems.push(...unreadableFiles(result.data));
  if (problems.length > 0) throw new ConfigError(name, problems);
  if (args.print) return { kind: 'text', text: stringify(redacted(raw)) };
  return { kind: 'config', config: deepFreeze(result.data) };
}

/** {@link readConfig} for a process: prints problems and ends with exit code 2, or answers `--help` and `--print-config` and ends with 0. */
export function loadConfig<S extends z.ZodType>(request: ConfigRequest<S>): DeepReadonly<z.output<S>> {
  try {
    const answer = readConfig(request);
    if (answer.kind === 'config') return answer.config;
    process.stdout.write(answer.text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
  process.exit(0);
}

/** Every key `…File` names a file that must be readable now, so that a wrong path is not found out later. */
function unreadableFiles(value: unknown, path: readonly string[] = []): Problem[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key];
    if (!key.endsWith('File') || typeof inner !== 'string') return unreadableFiles(inner, here);
    try {
      accessSync(inner, constants.R_OK);
      return [];
    } catch (error) {
      return [{ path: here.join('.'), message: `cannot read ${inner}: ${(error as NodeJS.ErrnoException).code}` }];
    }
  });
}

function redacted(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => redacted(item));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, redacted(v, k)]));
  if (typeof value !== 'string') return value;
  if (!key.endsWith('File') && /password|token|secret$|key$/i.test(key) && key !== 'defaultTlsSecret') return '[redacted]';
  return value.replace(/\/\/[^/@\s]+@/, '//[redacted]@');
}

function helpText(name: string, schema: z.ZodType): string {
  const lines = [...leavesOf(schema).values()].map((leaf) => {
    const kind = leaf.choices.length > 0 ? leaf.choices.join('|') : [...leaf.types].join('|');
    const initial = leaf.initial === undefined ? '' : ` (default ${JSON.stringify(leaf.initial)})`;
    return `  --${leaf.path.join('.')} <${kind}>${initial}\n      ${[leaf.description, environmentNameOf(leaf.path)].filter(Boolean).join(' · ')}`;
  });
  return `${name} --config <file.yaml> [--print-config] [settings]\n\nFile, then environment, then flags; later ones win.\n\n${lines.join('\n')}\n`;
}
