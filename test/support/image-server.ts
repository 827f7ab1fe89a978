import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '#libs/testing/certificates.js';
import { sha256Of, type TestImage } from './image-releases.js';

export interface ImageServer {
  readonly url: string;
  /** PEM. */
  readonly certificate: string;
  offer(alias: string, serial: string, image: TestImage): Promise<void>;
  close(): Promise<void>;
}

/** An image server as others run them: static files over HTTPS, with a certificate of its own. */
export async function startImageServer(): Promise<ImageServer> {
  const folder = mkdtempSync(join(tmpdir(), 'webspaces-streams-'));
  const { cert, key } = await makeCertificate(folder, 'streams');
  const files = new Map<string, Buffer>();
  const products: Record<string, { versions: Record<string, unknown> }> = {};
  const server = createServer({ cert, key }, (question, answer) => {
    const bytes = files.get(question.url ?? '');
    answer.writeHead(bytes ? 200 : 404).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function offer(alias: string, serial: string, { metadata, rootfsFile, fingerprint }: TestImage): void {
    const rootfs = readFileSync(rootfsFile);
    const at = `images/${alias}/${serial}`;
    files.set(`/${at}/lxd.tar.xz`, metadata).set(`/${at}/rootfs.squashfs`, rootfs);
    const items = {
      'lxd.tar.xz': {
        ftype: 'lxd.tar.xz',
        path: `${at}/lxd.tar.xz`,
        size: metadata.length,
        sha256: sha256Of(metadata),
        combined_squashfs_sha256: fingerprint,
      },
      'rootfs.squashfs': { ftype: 'squashfs', path: `${at}/rootfs.squashfs`, size: rootfs.length, sha256: sha256Of(rootfs) },
    };
    const key = `${alias}:amd64`;
    products[key] = {
      aliases: alias,
      arch: 'amd64',
      os: 'busybox',
      release: 'tiny',
      ...{ versions: { ...products[key]?.versions, [serial]: { items } } },
    } as never;
    const datatype = 'image-downloads';
    const path = 'streams/v1/images.json';
    const index = { format: 'index:1.0', index: { images: { datatype, path, products: Object.keys(products) } } };
    files.set('/streams/v1/index.json', Buffer.from(JSON.stringify(index)));
    files.set(`/${path}`, Buffer.from(JSON.stringify({ content_id: 'images', datatype, format: 'products:1.0', products })));
  }

  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    certificate: cert,
    offer: async (...offered) => offer(...offered),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
