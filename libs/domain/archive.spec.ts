import { describe, expect, test } from '@jest/globals';
import { exampleRecord } from '#libs/testing/example-record.js';
import { archiveAliasOf, archivePropertiesOf, isArchive, isArchiveAlias, isArchiveOf, mayBeUsedBy } from './archive.js';
import { recordSchema } from './record.js';

describe('the archive of a webspace', () => {
  const record = exampleRecord({ domains: ['shop.example.org'] });
  const config = { 'image.os': 'debian', 'image.webspaces.archive': 'of an earlier life', 'volatile.eth0.hwaddr': 'x' };
  const image = { properties: archivePropertiesOf('ws-u1', record, config, new Date('2026-11-23T12:00:00Z')) };

  test('says whose it was and how it was set up, and what it was made from', () => {
    expect(image.properties).toMatchObject({
      os: 'debian',
      'webspaces.owner': '1',
      'webspaces.username': 'alice',
      'webspaces.name': 'ws-u1',
    });
    expect(recordSchema.parse(JSON.parse(image.properties['webspaces.record'] ?? ''))).toEqual(record);
    expect(Object.keys(image.properties)).not.toContain('volatile.eth0.hwaddr');
  });

  test('is found by the uid of the webspace, and is no image for everybody', () => {
    expect([isArchive(image), isArchiveOf(image, record.uid), isArchiveOf(image, 'of an earlier life')]).toEqual([true, true, false]);
    expect(isArchiveAlias(archiveAliasOf('ws-u1', record.uid))).toBe(true);
    expect(isArchiveAlias('alpine/3.20')).toBe(false);
  });

  test('is for its account only', () => {
    expect([mayBeUsedBy(image, '1'), mayBeUsedBy(image, '12'), mayBeUsedBy({ properties: { os: 'debian' } }, '12')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
