import { readFileSync, writeFileSync } from 'node:fs';

/**
 * What a golden file says, for a text that should be the same. With `WEBSPACES_WRITE_GOLDEN=1` the text is written there first: read the difference
 * before you commit it.
 */
export function golden(file: string | URL, text: string): string {
  if (process.env['WEBSPACES_WRITE_GOLDEN'] === '1') writeFileSync(file, text);
  return readFileSync(file, 'utf8');
}
