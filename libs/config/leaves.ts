import { z } from 'zod';

/** One setting that has a value of its own (not a group of settings). */
export interface Leaf {
  readonly path: readonly string[];
  readonly types: ReadonlySet<string>;
  readonly description: string;
  readonly choices: readonly string[];
  readonly initial?: unknown;
}

interface Node {
  readonly type?: string | string[];
  readonly properties?: Record<string, Node>;
  readonly anyOf?: Node[];
  readonly oneOf?: Node[];
  readonly enum?: unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
}

/** All settings of a schema, those of every alternative of a union included, by dotted path. */
export function leavesOf(schema: z.ZodType): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  collect(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Node, [], leaves);
  return leaves;
}

function collect(node: Node, path: readonly string[], leaves: Map<string, Leaf>): void {
  for (const alternative of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) collect(alternative, path, leaves);
  if (node.properties) {
    for (const [key, child] of Object.entries(node.properties)) collect(child, [...path, key], leaves);
    return;
  }
  if (path.length === 0 || node.anyOf || node.oneOf) return;
  const key = path.join('.');
  const known = leaves.get(key);
  const choices = [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const])].map(String);
  leaves.set(key, {
    path,
    types: new Set([...(known?.types ?? []), ...[node.type ?? (choices.length > 0 ? 'string' : 'any')].flat()]),
    description: known?.description || node.description || '',
    choices: [...(known?.choices ?? []), ...choices],
    ...(node.default === undefined ? {} : { initial: node.default }),
  });
}

/** `platform.baseDomain` → `WEBSPACES__PLATFORM__BASE_DOMAIN`. */
export function environmentNameOf(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('__');
}

/** Two underscores: `WEBSPACES_GATEWAY_PORT` and the like are set by Kubernetes itself for a Service of such a name. */
export const ENVIRONMENT_PREFIX = 'WEBSPACES__';
