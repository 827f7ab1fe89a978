import type { Extract, Header } from 'tar-stream';
import { type ArchiveLimits, refused } from './limits.js';

const NAME = 'metadata.yaml';
const PLAIN = new Set<string>(['file', 'contiguous-file', 'directory']);

/**
 * The text of `metadata.yaml` (or `./metadata.yaml`), or undefined. Every entry is looked at: links, devices and names that lead out of the folder are
 * refused, since whoever unpacks the archive later would follow them.
 */
export async function readEntries(extract: Extract, { entries, yamlBytes }: ArchiveLimits): Promise<string | undefined> {
  let text: string | undefined;
  let count = 0;
  for await (const entry of extract) {
    count += 1;
    if (count > entries) throw refused(`it has more than ${entries} entries`);
    const name = checkedName(entry.header);
    if (name !== NAME) {
      entry.resume();
      continue;
    }
    if (text !== undefined) throw refused(`it holds ${NAME} twice`);
    if (entry.header.type === 'directory') throw refused(`its ${NAME} is a folder`);
    if (entry.header.size > yamlBytes) throw refused(`its ${NAME} is larger than ${yamlBytes} bytes`);
    text = await textOf(entry);
  }
  return text;
}

function checkedName({ name, type }: Header): string {
  const shown = JSON.stringify(name.slice(0, 100));
  if (name.startsWith('/')) throw refused(`its entry ${shown} has an absolute path`);
  if (name.split('/').includes('..')) throw refused(`its entry ${shown} leads out of the archive`);
  if (!PLAIN.has(type)) throw refused(`its entry ${shown} is a ${type}; only files and folders are taken`);
  return name.replace(/^(?:\.\/+)+/, '');
}

async function textOf(entry: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
