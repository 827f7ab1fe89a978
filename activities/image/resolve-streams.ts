import type { FileRole, ImportPlan, PlannedFile, StreamsImageSource } from '#libs/contracts/images.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { ImageServers } from '#libs/images/image-servers.js';
import { type FoundFile, findImage } from '#libs/simplestreams/find-image.js';
import { parseIndex, parseProducts } from '#libs/simplestreams/read-streams.js';

const INDEX_BYTES = 8 * 1024 * 1024;
const PRODUCTS_BYTES = 64 * 1024 * 1024;

/** An image of another server, as LXD would find it there. @throws NOT_FOUND when there is none. */
export async function resolveStreams(
  servers: ImageServers,
  { server, alias, version, certificate }: StreamsImageSource,
  { architecture, signal }: { readonly architecture: string; readonly signal: AbortSignal },
): Promise<ImportPlan> {
  const base = server.replace(/\/+$/, '');
  const read = (path: string, maxBytes: number) => servers.text(`${base}/${path}`, { certificate, signal, maxBytes });
  const query = { alias, architecture, ...(version === undefined ? {} : { version }) };
  for (const path of parseIndex(await read('streams/v1/index.json', INDEX_BYTES))) {
    const found = findImage(parseProducts(await read(path, PRODUCTS_BYTES)), query);
    if (!found) continue;
    const { metadata, root, serial, fingerprint } = found;
    if (!root)
      throw new PlatformError(
        'INVALID_INPUT',
        `${alias} of ${base} is one file with everything in it; only images of two files are imported.`,
      );
    const planned = async (role: FileRole, file: FoundFile): Promise<PlannedFile> => {
      const url = `${base}/${file.path}`;
      const name = file.path.split('/').at(-1) ?? file.path;
      const sizeBytes = file.sizeBytes > 0 ? file.sizeBytes : await sizeOf(servers, url, { certificate, signal });
      return {
        role,
        name,
        sizeBytes,
        sha256: file.sha256,
        location: { at: 'url', url, ...(certificate === undefined ? {} : { certificate }) },
      };
    };
    const files = [await planned('metadata', metadata), await planned('rootfs', root)];
    return { source: `simplestreams:${base}/${alias}`, version: serial, architecture, files, fingerprint, passedOver: [] };
  }
  const wanted = version === undefined ? '' : ` in version ${version}`;
  throw new PlatformError('NOT_FOUND', `${base} has no image ${alias}${wanted} for ${architecture}.`, { details: { field: 'source' } });
}

/** Of a file whose document does not say it. */
async function sizeOf(
  servers: ImageServers,
  url: string,
  options: { readonly certificate: string | undefined; readonly signal: AbortSignal },
) {
  const { body, totalBytes } = await servers.open(url, options);
  body.destroy();
  if (totalBytes !== undefined) return totalBytes;
  throw new PlatformError('PROTOCOL', `Nobody says how large ${url} is.`);
}
