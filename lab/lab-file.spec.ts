import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readLabFile, refuseOtherIndex, writeLabFile } from './lab-file.js';
import { parseProfile } from './profile.js';

describe('the file of a lab', () => {
  it('refuses another index under the same name, whose parts it would take', () => {
    const state = mkdtempSync(join(tmpdir(), 'webspaces-lab-file-'));
    const at = (text: string) => {
      const profile = parseProfile(text);
      return { ...profile, paths: { ...profile.paths, state } };
    };
    try {
      refuseOtherIndex(at('mine:7'));
      writeLabFile(at('mine:7'), { mode: 'own', apps: 'all', temporalInMemory: false, internet: false });
      refuseOtherIndex(at('mine:7'));
      expect(() => refuseOtherIndex(at('mine:8'))).toThrow('a lab mine:7 is there already: take another name, such as mine8:8');
      expect(readLabFile(at('mine:8'))).toMatchObject({ index: 7, apps: 'all' });
    } finally {
      rmSync(state, { recursive: true });
    }
  });
});
