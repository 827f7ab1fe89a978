import { readFileSync, writeFileSync } from 'node:fs';

declare global {
  /** Set by jest.config.mjs. */
  var writeGolden: boolean | undefined;
}

/**
 * What a golden file says, for a text that should be the same. With `WEBSPACES_WRITE_GOLDEN=1` the text is written there first: read the difference
 * before you commit it.
 */
export function golden(file: string | URL, text: string): string {
  if (globalThis.writeGolden) writeFileSync(file, text);
  return readFileSync(file, 'utf8');
}
