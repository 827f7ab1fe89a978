import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '#libs/testing/certificates.js';
import { startLxdDouble } from '#libs/testing/lxd-double/index.js';
import { lxdContract } from './contract.js';

lxdContract('double', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lxd-contract-double-'));
  const unifiedImageFile = join(folder, 'image.tar.gz');
  await writeFile(unifiedImageFile, 'not really an image');
  const double = await startLxdDouble({ tls: await makeCertificate(folder, 'server') });
  return {
    socket: double.socket,
    image: 'hello',
    newImage: { unified: unifiedImageFile },
    url: double.url ?? '',
    close: async () => {
      await double.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
