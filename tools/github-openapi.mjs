#!/usr/bin/env node
// Takes what the double of GitHub answers out of GitHub's OpenAPI description (api.github.com.json of the npm package @octokit/openapi):
//   node tools/github-openapi.mjs FILE
import { readFileSync, writeFileSync } from 'node:fs';

const TARGET = 'libs/testing/github-double/openapi.json';
const OPERATIONS = [
  ['get', '/repos/{owner}/{repo}/releases'],
  ['get', '/repos/{owner}/{repo}/releases/{release_id}'],
  ['get', '/repos/{owner}/{repo}/releases/tags/{tag}'],
  ['get', '/repos/{owner}/{repo}/releases/assets/{asset_id}'],
  ['post', '/app/installations/{installation_id}/access_tokens'],
  ['get', '/repos/{owner}/{repo}/git/ref/{ref}'],
  ['post', '/repos/{owner}/{repo}/git/refs'],
  ['delete', '/repos/{owner}/{repo}/git/refs/{ref}'],
  ['get', '/repos/{owner}/{repo}/contents/{path}'],
  ['put', '/repos/{owner}/{repo}/contents/{path}'],
  ['get', '/repos/{owner}/{repo}/commits'],
  ['get', '/repos/{owner}/{repo}/commits/{ref}'],
  ['get', '/repos/{owner}/{repo}/commits/{ref}/check-runs'],
  ['get', '/repos/{owner}/{repo}/commits/{ref}/status'],
  ['get', '/repos/{owner}/{repo}/pulls'],
  ['post', '/repos/{owner}/{repo}/pulls'],
  ['get', '/repos/{owner}/{repo}/pulls/{pull_number}'],
  ['patch', '/repos/{owner}/{repo}/pulls/{pull_number}'],
  ['put', '/repos/{owner}/{repo}/pulls/{pull_number}/merge'],
  ['get', '/repos/{owner}/{repo}/issues/{issue_number}'],
];
const WEBHOOKS = ['release-published', 'release-edited', 'release-deleted'];
// Nothing that validates; `x-` extensions too.
const WORDS = new Set(['description', 'example', 'examples', 'title', 'externalDocs', 'deprecated']);

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node tools/github-openapi.mjs FILE');
  process.exit(2);
}
const whole = JSON.parse(readFileSync(file, 'utf8'));
const schemas = {};
const responses = OPERATIONS.map(([method, path]) => ({ method, path, answers: answersOf(whole.paths[path][method].responses) }));
const webhooks = Object.fromEntries(WEBHOOKS.map((name) => [name, schemaOf(whole['x-webhooks'][name].post.requestBody)]));
const { version, license } = whole.info;
const source = {
  package: '@octokit/openapi',
  version,
  file: 'api.github.com.json',
  license: license.name,
  madeBy: 'tools/github-openapi.mjs',
};
writeFileSync(TARGET, `${JSON.stringify({ source, responses, webhooks, schemas: sorted(schemas) }, null, 1)}\n`);
console.log(
  `${TARGET}: ${OPERATIONS.length} operations, ${WEBHOOKS.length} webhooks, ${Object.keys(schemas).length} schemas of ${version}`,
);

/** Schema by status; null for an answer without a body. */
function answersOf(found) {
  return Object.fromEntries(Object.entries(found).map(([status, answer]) => [status, schemaOf(resolved(answer)) ?? null]));
}

function schemaOf({ content }) {
  const schema = content?.['application/json']?.schema;
  return schema === undefined ? undefined : taken(schema);
}

function resolved(node) {
  return node.$ref === undefined
    ? node
    : node.$ref
        .slice(2)
        .split('/')
        .reduce((inner, key) => inner[key], whole);
}

/** A copy without words, whose schemas are collected. `properties` may have names that are words elsewhere. */
function taken(node, isProperties = false) {
  if (Array.isArray(node)) return node.map((item) => taken(item));
  if (typeof node !== 'object' || node === null) return node;
  if (typeof node.$ref === 'string' && !isProperties) return reference(node.$ref);
  const kept = Object.entries(node).filter(([key]) => isProperties || !(WORDS.has(key) || key.startsWith('x-')));
  return Object.fromEntries(
    kept.map(([key, value]) => [key, key === 'enum' ? value : taken(value, key === 'properties' && !isProperties)]),
  );
}

function reference($ref) {
  const name = $ref.split('/').at(-1);
  if (!(name in schemas)) {
    schemas[name] = null; // a schema may hold itself
    schemas[name] = taken(resolved({ $ref }));
  }
  return { $ref: `#/schemas/${name}` };
}

function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
