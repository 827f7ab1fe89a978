import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { AssetName } from '#libs/simplestreams/asset-names.js';

const BEGINNING_BYTES = 8;
const XZ = { bytes: Buffer.from('fd377a585a00', 'hex'), what: 'compressed by xz' };
/** How files begin: squashfs' superblock, the xz format, QEMU's qcow2, RFC 3284. */
const BEGINNINGS = {
  squashfs: { bytes: Buffer.from('hsqs'), what: 'a squashfs' },
  'root.tar.xz': XZ,
  'disk-kvm.img': { bytes: Buffer.from('514649fb', 'hex'), what: 'a qcow2 disk' },
  metadata: XZ,
  delta: { bytes: Buffer.from('d6c3c4', 'hex'), what: 'a delta in the form VCDIFF' },
} as const;

export interface Digest {
  readonly sha256: string;
  /** Of another file's bytes followed by this one's. */
  readonly combined?: string;
  readonly beginning: Buffer;
}

/** Reads a file once: its checksum, and the one of `before` followed by it. */
export async function digestOf(path: string, before?: string): Promise<Digest> {
  const hash = createHash('sha256');
  const combined = createHash('sha256');
  if (before !== undefined) for await (const chunk of createReadStream(before)) combined.update(chunk);
  let beginning = Buffer.alloc(0);
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    if (before !== undefined) combined.update(chunk);
    if (beginning.length < BEGINNING_BYTES) beginning = Buffer.concat([beginning, chunk.subarray(0, BEGINNING_BYTES)]);
  }
  return { sha256: hash.digest('hex'), ...(before === undefined ? {} : { combined: combined.digest('hex') }), beginning };
}

/** What a file should be by its name and is not by how it begins. */
export function wrongBeginning(is: AssetName, beginning: Buffer): string | undefined {
  const { bytes, what } = BEGINNINGS[is.kind === 'root' ? is.type : is.kind];
  return beginning.subarray(0, bytes.length).equals(bytes) ? undefined : what;
}
