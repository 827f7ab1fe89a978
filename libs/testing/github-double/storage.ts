import { createHmac, randomBytes } from 'node:crypto';
import type { Bytes } from './content.js';
import type { StoredAsset } from './model.js';
import type { Question, Reply } from './reply.js';

/** Where the bytes are: reached by signed addresses that expire, and no credential is ever welcome. */
export class Storage {
  /** How long a signed address is good; GitHub: minutes. */
  addressLivesMs = 300_000;
  readonly #key = randomBytes(32);
  readonly #held = new Map<string, StoredAsset>();
  readonly #url: () => string;

  constructor(url: () => string) {
    this.#url = url;
  }

  sign(asset: StoredAsset): string {
    const name = `${asset.id}-${asset.bytes.sha256.slice(0, 12)}`;
    this.#held.set(name, asset);
    const until = Date.now() + this.addressLivesMs;
    const signature = this.#signatureOf(name, until);
    return `${this.#url()}/github-production-release-asset/${name}?se=${until}&sig=${signature}&rscd=attachment`;
  }

  answer({ parts, query, headers }: Question): Reply {
    if (headers.authorization !== undefined) return xml(400, 'InvalidAuthenticationInfo');
    const name = parts[1] ?? '';
    const until = Number(query.get('se'));
    if (query.get('sig') !== this.#signatureOf(name, until) || until < Date.now()) return xml(403, 'AuthenticationFailed');
    const asset = this.#held.get(name);
    return asset ? partOf(asset.bytes, headers.range) : xml(404, 'BlobNotFound');
  }

  #signatureOf(name: string, until: number): string {
    return createHmac('sha256', this.#key).update(`${name} ${until}`).digest('base64url');
  }
}

function partOf(bytes: Bytes, range: string | undefined): Reply {
  const { sizeBytes } = bytes;
  const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', etag: `"${bytes.sha256.slice(0, 32)}"` };
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) {
    return { status: 200, headers: { ...headers, 'content-length': String(sizeBytes) }, bytes: { of: bytes, from: 0, to: sizeBytes - 1 } };
  }
  const from = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const to = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (from >= sizeBytes || from > to) return { ...xml(416, 'InvalidRange'), headers: { 'content-range': `bytes */${sizeBytes}` } };
  return {
    status: 206,
    headers: { ...headers, 'content-length': String(to - from + 1), 'content-range': `bytes ${from}-${to}/${sizeBytes}` },
    bytes: { of: bytes, from, to },
  };
}

function xml(status: number, code: string): Reply {
  return { status, headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` };
}
