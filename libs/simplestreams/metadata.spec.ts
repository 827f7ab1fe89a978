import { expect, test } from '@jest/globals';
import { parseMetadata } from './metadata.js';

test('metadata is read with every value as the text that stands there', () => {
  const yaml = `architecture: x86_64
creation_date: 1627826400
expiry_date: 1640995200
properties:
  os: ubuntu
  version: 5.10
  yes: true
  date: 2021-08-01
  empty:
templates: {/etc/hostname: {when: [create], template: hostname.tpl}}
`;
  expect(parseMetadata(yaml)).toEqual({
    architecture: 'x86_64',
    creationDate: 1_627_826_400,
    expiryDate: 1_640_995_200,
    properties: { os: 'ubuntu', version: '5.10', yes: 'true', date: '2021-08-01', empty: '' },
  });
});

test.each([
  'architecture: amd64\ncreation_date: 0\nexpiry_date: 0\n',
  '{"architecture": "amd64", "creation_date": "0", "properties": null}',
])('nothing is needed but architecture and date: %j', (yaml) => {
  expect(parseMetadata(yaml)).toEqual({ architecture: 'amd64', creationDate: 0, properties: {} });
});

test.each([
  ['', /the document/],
  ['- a', /the document/],
  ['architecture: [', /not YAML/],
  ['creation_date: 1', /architecture is missing/],
  ['architecture: a', /creation_date is not a number/],
  ['architecture: a\ncreation_date: soon', /creation_date is not a number/],
  ['architecture: a\ncreation_date: -1', /creation_date is not a number/],
  ['architecture: a\ncreation_date: 999999999999', /creation_date is after the year 9999/],
  ['architecture: a\ncreation_date: 1\nexpiry_date: x', /expiry_date/],
  ['architecture: a\ncreation_date: 1\nproperties: {a: {b: c}}', /properties\.a is not a text/],
  ['architecture: a\narchitecture: b\ncreation_date: 1', /not YAML/],
  [`a: &a [x]\n${Array.from({ length: 30 }, (_, at) => `k${at}: [*a, *a, *a]`).join('\n')}`, /too many references/],
  ['x'.repeat(2e6), /too long/],
])('metadata is refused by the name of the field: %#', (yaml, why) => {
  expect(() => parseMetadata(yaml)).toThrow(why);
  expect(() => parseMetadata(yaml)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});
