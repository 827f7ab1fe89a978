import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

interface Description {
  readonly source: { readonly version: string };
  readonly responses: readonly { method: string; path: string; answers: Record<string, object | null> }[];
  readonly webhooks: Record<string, object>;
  readonly schemas: Record<string, { properties?: object }>;
}

/** GitHub's OpenAPI description, as far as the double answers. */
export const description = JSON.parse(readFileSync('libs/testing/github-double/openapi.json', 'utf8')) as Description;
const isDate = (text: string) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text);
const formats = { 'date-time': isDate, uri: (text: string) => URL.canParse(text), email: true, int64: true, 'uri-template': true } as const;
// Not strict: OpenAPI 3.0 has words of its own; `nullable` is understood.
const ajv = new Ajv({ strict: false, allErrors: true, formats });
ajv.addSchema({ ...(withNull(description) as object), $id: 'github' });

/** Validates against one of the description's schemas. */
export function problemsOf(value: unknown, schema: object): unknown[] {
  // An error fits several of the forms that GitHub offers for it.
  const text = JSON.stringify(schema).replace(/^\{"oneOf":/, '{"anyOf":');
  const absolute = JSON.parse(text.replaceAll('"#/schemas/', '"github#/schemas/')) as object;
  const validate = ajv.compile(absolute);
  return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** Of an answer; null for one without a body. */
export function schemaOf(method: string, path: string, status: number): object | null {
  const found = description.responses.find((one) => one.method === method && one.path === path)?.answers[status];
  if (found === undefined) throw new Error(`GitHub describes no ${status} of ${method} ${path}`);
  return found;
}

/** The validator knows `nullable` beside a type only. */
function withNull(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withNull);
  if (typeof node !== 'object' || node === null) return node;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withNull(value)]));
  if (nullable !== true || 'type' in rest) return nullable === undefined ? rest : { ...rest, nullable };
  return { anyOf: [rest, { type: 'null' }] };
}
