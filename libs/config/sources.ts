import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { messageOf } from '#libs/errors/platform-error.js';
import { ENVIRONMENT_PREFIX, environmentNameOf, type Leaf } from './leaves.js';
import type { Problem } from './problems.js';

export interface Arguments {
  readonly configFile?: string;
  readonly help: boolean;
  readonly print: boolean;
  readonly settings: ReadonlyMap<string, string>;
}

/** Reads `--config file`, `--a.b value`, `--a.b=value`, `--help` and `--print-config`. */
export function parseArguments(argv: readonly string[], problems: Problem[]): Arguments {
  const settings = new Map<string, string>();
  const switches = new Set<string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(argument);
    if (!match) {
      problems.push({ path: argument, message: 'is not a flag' });
      continue;
    }
    const name = match[1] as string;
    if (name === 'help' || name === 'print-config') {
      switches.add(name);
      continue;
    }
    const value = match[2] ?? argv[++at];
    if (value === undefined) problems.push({ path: `--${name}`, message: 'needs a value' });
    else settings.set(name, value);
  }
  const configFile = settings.get('config');
  settings.delete('config');
  return { help: switches.has('help'), print: switches.has('print-config'), settings, ...(configFile === undefined ? {} : { configFile }) };
}

export function readYamlFile(path: string, problems: Problem[]): Record<string, unknown> {
  try {
    const content: unknown = parseYaml(readFileSync(path, 'utf8')) ?? {};
    if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>;
    problems.push({ path: '--config', message: `${path} must hold a YAML mapping` });
  } catch (error) {
    problems.push({ path: '--config', message: `cannot read ${path}: ${messageOf(error).split('\n')[0]}` });
  }
  return {};
}

/** Lays the environment's and then the flags' settings over those of the file. */
export function overlay(
  base: Record<string, unknown>,
  leaves: ReadonlyMap<string, Leaf>,
  { env, flags }: { readonly env: Readonly<Record<string, string | undefined>>; readonly flags: ReadonlyMap<string, string> },
  problems: Problem[],
): Record<string, unknown> {
  const byEnvironmentName = new Map([...leaves.values()].map((leaf) => [environmentNameOf(leaf.path), leaf]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    const leaf = byEnvironmentName.get(name);
    if (leaf) setAt(base, leaf.path, parseText(text, leaf));
    else problems.push({ path: name, message: 'is not a known setting' });
  }
  for (const [name, text] of flags) {
    const leaf = leaves.get(name);
    if (leaf) setAt(base, leaf.path, parseText(text, leaf));
    else problems.push({ path: `--${name}`, message: 'is not a known setting' });
  }
  return base;
}

function parseText(text: string, leaf: Leaf): unknown {
  if (leaf.types.has('array') && !text.trimStart().startsWith('[')) return text.split(',').map((item) => item.trim());
  if (leaf.types.has('string') || leaf.types.has('any')) return text;
  try {
    return parseYaml(text);
  } catch {
    return text; // the schema then says what is expected
  }
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = target;
  for (const key of path.slice(0, -1)) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1) as string] = value;
}
