import fc, { type Arbitrary } from 'fast-check';

/** The parts of JSON Schema that the API's document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema?: Schema;
}

/** One request: what goes over the wire, and nothing of how it came about. */
export interface WildRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface Route {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
}

export interface Hints {
  /** Values that mean something here, by the name of the parameter or field. */
  readonly values: Readonly<Record<string, readonly unknown[]>>;
  readonly components: Readonly<Record<string, Schema>>;
}

const wildText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', ' ', '\u0000', '../..', '%', '%00', "' OR 1=1 --", '{{7*7}}', 'null', '-1', '1e999', 'self', 'id:', 'x'.repeat(300)),
);
const wildJson = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  wildText,
  fc.constantFrom(null, [], {}, -1, 0, 65_536, 1e308, true, 'a'.repeat(5_000)),
);

/** Requests for one route: mostly as its schema wants them, often wrong in one place, sometimes wrong altogether. */
export function requestsFor({ method, path, parameters, body }: Route, hints: Hints): Arbitrary<WildRequest> {
  const among = (place: Parameter['in']) => parameters.filter((parameter) => parameter.in === place);
  const values = (place: Parameter['in'], wild: Arbitrary<string>) =>
    fc.record(Object.fromEntries(among(place).map((parameter) => [parameter.name, mostly(9, textOf(parameter, hints), wild)])), {
      requiredKeys: among(place).flatMap(({ name, required }) => ((required ?? place === 'path') ? [name] : [])),
    });
  return fc
    .record({
      path: values('path', wildText),
      query: values('query', wildText),
      extra: mostly(19, fc.constant(''), fc.constantFrom('?x=1', '?limit=1&limit=2', '?%zz', '?cursor[]=1')),
      headers: values('header', fc.stringMatching(/^[\x21-\x7e]{0,20}$/)),
      contentType: mostly(9, fc.constant('application/json'), fc.constantFrom('text/plain', 'application/x-www-form-urlencoded', 'x')),
      body: body === undefined ? mostly(9, fc.constant(undefined), wildText) : bodies(body, hints),
    })
    .map((parts) => {
      const query = new URLSearchParams(parts.query).toString();
      return {
        method,
        path: path.replace(/\{(\w+)\}/g, (_all, name: string) => encode(parts.path[name] ?? 'x')) + (parts.extra || (query && `?${query}`)),
        headers: { ...parts.headers, ...(parts.body === undefined ? {} : { 'content-type': parts.contentType }) },
        body: parts.body,
      };
    });
}

function bodies(schema: Schema, hints: Hints): Arbitrary<string | undefined> {
  const right = fitting(schema, hints);
  const spoilt = fc.tuple(right, wildText, wildJson, fc.nat()).map(([value, key, wild, at]) => spoil(value, key, wild, at));
  const asJson = (value: unknown) => JSON.stringify(value);
  return fc.oneof(
    { weight: 5, arbitrary: right.map(asJson) },
    { weight: 5, arbitrary: spoilt.map(asJson) },
    { weight: 2, arbitrary: wildJson.map(asJson) },
    { weight: 1, arbitrary: wildText },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

/** One field replaced, left out, or added. */
function spoil(value: unknown, key: string, wild: unknown, at: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wild;
  const keys = Object.keys(value);
  const chosen = at % 3 === 0 || keys.length === 0 ? key : (keys[at % keys.length] as string);
  const { [chosen]: _old, ...rest } = value as Record<string, unknown>;
  return at % 3 === 1 ? rest : { ...rest, [chosen]: wild };
}

function textOf({ name, schema = {} }: Parameter, hints: Hints): Arbitrary<string> {
  return fitting(schema, hints, name).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
}

/** Values that fit the schema. */
function fitting(schema: Schema, hints: Hints, name = ''): Arbitrary<unknown> {
  const known = hints.values[name];
  const generated = generate(schema, hints, name);
  return known && known.length > 0 ? mostly(7, fc.constantFrom(...known), generated) : generated;
}

function generate(schema: Schema, hints: Hints, name: string): Arbitrary<unknown> {
  if (schema.$ref !== undefined) return fitting(hints.components[schema.$ref.split('/').at(-1) as string] ?? {}, hints, name);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const alternatives = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (alternatives !== undefined) return fc.oneof(...alternatives.map((each) => fitting(each, hints, name)));
  switch (schema.type) {
    case 'string':
      return texts(schema);
    case 'integer':
      return fc.integer({ min: Math.ceil(clamp(schema.minimum, -5)), max: Math.floor(clamp(schema.maximum, 70_000)) });
    case 'number':
      return fc.double({ min: clamp(schema.minimum, -5), max: clamp(schema.maximum, 70_000), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(fitting(schema.items ?? {}, hints, name), { maxLength: 4 });
    case 'object':
      return objects(schema, hints);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objects({ properties = {}, required = [], additionalProperties }: Schema, hints: Hints): Arbitrary<unknown> {
  const named = fc.record(Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, fitting(each, hints, key)])), {
    requiredKeys: [...required],
  });
  if (typeof additionalProperties !== 'object') return named;
  return fc
    .tuple(named, fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), fitting(additionalProperties, hints), { maxKeys: 3 }))
    .map(([own, others]) => ({ ...others, ...own }));
}

function texts({ pattern, minLength = 0, maxLength = 60 }: Schema): Arbitrary<string> {
  if (pattern === undefined) return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 60)) });
  return fc.stringMatching(new RegExp(pattern)).filter((text) => text.length >= minLength && text.length <= maxLength);
}

function clamp(bound: number | undefined, otherwise: number): number {
  return bound === undefined ? otherwise : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, bound));
}

/** A path segment as a client would write it; a character that is half of a pair cannot be encoded at all. */
function encode(text: string): string {
  return encodeURIComponent(text.replace(/[\uD800-\uDFFF]/gu, '?'));
}

function mostly<T, U>(weight: number, usual: Arbitrary<T>, wild: Arbitrary<U>): Arbitrary<T | U> {
  return fc.oneof({ weight, arbitrary: usual as Arbitrary<T | U> }, { weight: 1, arbitrary: wild as Arbitrary<T | U> });
}
