import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { Lab } from '#lab/harness.js';

/** A server of the test that a port inside the container leads to. */
export interface SiteInside {
  close(): Promise<void>;
}

/**
 * Puts a server of the test behind a port of the container, by LXD's proxy device: it listens there as long as the container runs. For what the
 * image's own web server cannot do.
 */
export async function serveInside(lab: Lab, webspace: string, port: number, server: Server): Promise<SiteInside> {
  const socket = join(lab.profile.paths.lxd, `${webspace}-${port}.sock`);
  const device = `inside-${port}`;
  const open = new Set<Socket>();
  rmSync(socket, { force: true });
  server.on('connection', (connection: Socket) => {
    open.add(connection);
    connection.once('close', () => open.delete(connection));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const leads = [`listen=tcp:0.0.0.0:${port}`, `connect=unix:${socket}`, 'bind=instance'];
  await lab.lxc(['config', 'device', 'add', webspace, device, 'proxy', ...leads]);
  return {
    close: async () => {
      for (const connection of open) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
      await lab.lxc(['config', 'device', 'remove', webspace, device]);
      rmSync(socket, { force: true });
    },
  };
}
