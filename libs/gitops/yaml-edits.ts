import { isDeepStrictEqual } from 'node:util';
import { type Document, isAlias, isMap, isScalar, type Node, parseAllDocuments, Scalar, stringify } from 'yaml';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { YamlEdit, YamlScalar } from './types.js';

type Doc = Document.Parsed;

/**
 * The text with these values and not another byte changed. Of several YAML documents the one is meant that has all paths.
 * @throws PlatformError INVALID_INPUT or CONFLICT, which name the file and the path, when it cannot be done so.
 */
export function editYaml(file: string, text: string, edits: readonly YamlEdit[]): string {
  const document = documentOf(file, text, edits);
  const places = edits
    .map((edit) => ({ ...placeOf(file, document, edit.path), value: edit.value }))
    .sort(({ start: a }, { start: b }) => b - a);
  const edited = places.reduce((all, { start, end, style, value }) => all.slice(0, start) + written(value, style) + all.slice(end), text);
  verify(file, { before: text, after: edited, edits });
  return edited;
}

/** Whether the text holds all of these values; false for a text in which a path is not there any more. @throws CONFLICT for one that is no YAML. */
export function holdsValues(file: string, text: string, edits: readonly YamlEdit[]): boolean {
  return documentsOf(file, text).some((document) =>
    edits.every(({ path, value }) => document.hasIn(path) && document.getIn(path) === value),
  );
}

/** What stands at a path: a scalar's value, the keys of a mapping, or undefined. */
export function lookInto(
  file: string,
  text: string,
  path: readonly string[],
): { readonly keys: readonly string[] } | YamlScalar | undefined {
  for (const document of documentsOf(file, text)) {
    const node = document.getIn(path, true);
    if (isMap(node)) return { keys: node.items.map(({ key }) => String(isScalar(key) ? key.value : key)) };
    if (isScalar(node)) return (node.value ?? '') as YamlScalar;
  }
  return undefined;
}

function documentsOf(file: string, text: string): Doc[] {
  // Resolves no tags of other schemas and expands no aliases beyond the parser's limit.
  const documents = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: true }) as Doc[];
  const [problem] = documents.flatMap(({ errors }) => errors);
  if (problem) throw unexpected(file, `it is no valid YAML (${problem.message.split('\n')[0]})`);
  return documents;
}

function documentOf(file: string, text: string, edits: readonly YamlEdit[]): Doc {
  const documents = documentsOf(file, text);
  const fitting = documents.filter((document) => edits.every(({ path }) => document.hasIn(path)));
  const [first, second] = fitting;
  if (second) throw unexpected(file, `${fitting.length} of its documents have ${pathText(edits[0]?.path ?? [])}`, edits[0]?.path);
  if (first) return first;
  const missing = edits.find(({ path }) => !documents.some((document) => document.hasIn(path))) ?? edits[0];
  const why = documents.length > 1 ? 'none of its documents has all of the paths' : 'there is no such path';
  throw new PlatformError('INVALID_INPUT', `${file} has no place for ${pathText(missing?.path ?? [])}: ${why}.`, {
    details: { field: 'path', file, path: pathText(missing?.path ?? []) },
  });
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly style: Scalar.Type | undefined;
}

function placeOf(file: string, document: Doc, path: readonly string[]): Place {
  // An alias on the way would change every place that shares the mapping.
  path.forEach((_key, depth) => {
    const node = document.getIn(path.slice(0, depth + 1), true) as Node | undefined;
    if (isAlias(node)) throw unexpected(file, `${pathText(path)} is an alias of another place`, path);
    if (node && 'anchor' in node && node.anchor !== undefined)
      throw unexpected(file, `${pathText(path)} is shared by the anchor &${node.anchor}`, path);
  });
  const node = document.getIn(path, true);
  if (!isScalar(node) || !node.range) throw unexpected(file, `${pathText(path)} is no single value`, path);
  const style = node.type as Scalar.Type | undefined;
  if (style === Scalar.BLOCK_FOLDED || style === Scalar.BLOCK_LITERAL) throw unexpected(file, `${pathText(path)} is a block of text`, path);
  if (node.tag !== undefined) throw unexpected(file, `${pathText(path)} has a tag of its own`, path);
  const [start, end] = node.range;
  if (start === end) throw unexpected(file, `${pathText(path)} is empty: write '' or another value there first`, path);
  return { start, end, style };
}

/** In the quotes that stood there, as far as they can be kept. */
function written(value: YamlScalar, style: Place['style']): string {
  if (typeof value !== 'string') return String(value);
  if (style === Scalar.QUOTE_DOUBLE) return JSON.stringify(value);
  if (style === Scalar.QUOTE_SINGLE && /^[ -~]*$/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  // Bare only where it is bare anywhere, within braces too; numbers and words like `true` get their quotes from the library.
  return /^[\w./@+-]+(?::[\w./@+-]+)*$/.test(value) ? stringify(value, { lineWidth: 0 }).trimEnd() : JSON.stringify(value);
}

/** Reads both again: the wanted values are there, and nothing else is different. */
function verify(
  file: string,
  { before, after, edits }: { readonly before: string; readonly after: string; readonly edits: readonly YamlEdit[] },
): void {
  const expected = documentsOf(file, before);
  const target = expected.find((document) => edits.every(({ path }) => document.hasIn(path)));
  for (const { path, value } of edits) target?.setIn(path, value);
  const got = documentsOf(file, after);
  const plain = (documents: readonly Doc[]) => documents.map((document) => document.toJS() as unknown);
  if (!isDeepStrictEqual(plain(got), plain(expected)))
    throw unexpected(file, 'the values cannot be set without changing others', edits[0]?.path);
}

export function pathText(path: readonly string[]): string {
  return path.join('.');
}

function unexpected(file: string, why: string, path?: readonly string[]): PlatformError {
  return new PlatformError('CONFLICT', `${file} is not as expected: ${why}. Nothing was changed.`, {
    details: { reason: 'unexpected-file', file, ...(path ? { path: pathText(path) } : {}) },
  });
}
