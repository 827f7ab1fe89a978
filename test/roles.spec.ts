import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { projectRoot } from '#lab/project.js';
import { type RbacObject, rightsOf } from './support/rights.js';

const FOLDER = join(projectRoot(), 'deploy', 'chart', 'files', 'rbac');
const objects = readdirSync(FOLDER).flatMap((file) =>
  parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => document.toJS() as RbacObject),
);

test('the gateway of sites follows webspaces, and may do nothing else', () => {
  expect(rightsOf(objects, 'webspaces-gateway', 'webspaces')).toEqual([
    'webspaces.netsoc.ie/webspaces list',
    'webspaces.netsoc.ie/webspaces watch',
  ]);
});

test('the gateway of forwarded ports, under the account of the router beside it, labels the routers’ pods only', () => {
  const ofPods = rightsOf(objects, 'webspaces-kuberouter', 'webspaces').filter((right) => right.startsWith('/pods'));
  expect(ofPods).toEqual(['/pods list', '/pods patch of webspaces-router-0, webspaces-router-1']);
});

test('no Role of the platform’s own namespace lets anybody write to pods whose names it does not say', () => {
  const rules = objects.flatMap((object) => object.rules ?? []).filter(({ resources }) => resources.includes('pods'));
  const writing = rules.filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)));
  expect(writing.length).toBeGreaterThan(0);
  for (const rule of writing) expect(rule).toMatchObject({ resourceNames: expect.arrayContaining([expect.any(String)]) });
});
