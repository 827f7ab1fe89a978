import { Ajv, type ValidateFunction } from 'ajv';
import type { Parameter, Route, Schema } from './random-requests.js';

interface Content {
  readonly [type: string]: { readonly schema?: Schema };
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** An answer as far as the document says something about it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** What was read of the body; undefined for one that does not end. */
  readonly text: string | undefined;
}

const pointer = (...keys: readonly string[]) =>
  keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

/** The API by its own OpenAPI document: which requests there are, and whether an answer is one that it promises. */
export class ApiDocument {
  readonly #ajv: Ajv;

  constructor(readonly document: Document) {
    this.#ajv = new Ajv({ strict: false, validateFormats: false, schemas: [{ $id: 'api', ...document }] });
  }

  routes(): Route[] {
    return Object.entries(this.document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { parameters = [], requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        parameters,
        body: Object.values(requestBody?.content ?? {})[0]?.schema,
      })),
    );
  }

  /** What is wrong with an answer; undefined when it is as documented. */
  complaintAbout({ path, method }: Route, answer: Answer): string | undefined {
    const { status } = answer;
    if (status === 500) return 'it is a 500';
    const documented = this.document.paths[path]?.[method.toLowerCase()]?.responses;
    const response = documented?.[String(status)];
    if (!response) return `the status is none of ${Object.keys(documented ?? {}).join(', ')}`;
    const types = Object.keys(response.content ?? {});
    const type = answer.contentType.split(';')[0] as string;
    if (status >= 400 && type !== 'application/problem+json' && !types.includes(type)) return `its type is "${answer.contentType}"`;
    if (types.length === 0 && answer.text && /\bjson\b/.test(type)) return 'no body is documented';
    if (types.length > 0 && !types.includes(type)) return `its type is "${answer.contentType}", not ${types.join(' or ')}`;
    if (answer.text === undefined || !/\bjson\b/.test(type)) return undefined;
    const schemaAt = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema'];
    const validate: ValidateFunction = this.#ajv.compile({ $ref: `api#/${pointer(...schemaAt)}` });
    if (validate(JSON.parse(answer.text))) return undefined;
    return `its body does not fit: ${this.#ajv.errorsText(validate.errors)}`;
  }
}
