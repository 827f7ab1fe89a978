import { lxdContract } from '#libs/lxd/contract.js';

const socket = process.env['LXD_CONTRACT_SOCKET'];

/** `LXD_CONTRACT_SOCKET`, `_URL`, `_IMAGE` (alias) and `_NEW_IMAGE` (unified file) name a running LXD; without them the lab's is used. */
lxdContract(socket === undefined ? 'LXD of the lab (row 41: HTTPS with pinned certificates)' : `LXD at ${socket}`, async () => {
  if (socket !== undefined) return { socket, ...existing(), close: async () => undefined };
  const { startLab } = await import('#lab/harness.js');
  const { buildImage } = await import('#lab/image.js');
  const lab = await startLab({ profile: 'test', apps: 'none' });
  await lab.importImage('contract');
  const { metadataFile, rootfsFile } = await buildImage({ serial: 'contract-new' });
  const newImage = { metadata: metadataFile, rootfs: rootfsFile };
  return { socket: lab.lxdSocket, url: lab.lxdUrl, image: 'contract', newImage, close: async () => undefined };
});

function existing() {
  const must = (name: string): string => {
    const value = process.env[name];
    if (value === undefined) throw new Error(`${name} must be given with LXD_CONTRACT_SOCKET`);
    return value;
  };
  return { url: must('LXD_CONTRACT_URL'), image: must('LXD_CONTRACT_IMAGE'), newImage: { unified: must('LXD_CONTRACT_NEW_IMAGE') } };
}
