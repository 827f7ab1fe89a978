import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { accepts } from '#lab/accepts.js';
import { LabProcess } from '#lab/process.js';
import type { Profile } from '#lab/profile.js';

export interface Nginx {
  readonly url: string;
  stop(): Promise<void>;
}

/** Debian's nginx with as many workers as processors and without a log, serving files from disk by path. */
export async function startNginx(profile: Profile, files: Readonly<Record<string, string>>): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  const { host } = profile.network.hostLink;
  const port = profile.ports.octolxd + 2;
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'root', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configuration(folder, `${host}:${port}`));
  const server = new LabProcess(profile, {
    name: 'nginx',
    spec: () => ({ command: 'nginx', args: ['-c', config, '-e', join(folder, 'error.log')] }),
    healthy: () => accepts(host, port),
    readyTimeoutMs: 10_000,
  });
  await server.restart();
  return {
    url: `http://${host}:${port}`,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function configuration(folder: string, listen: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n');
  return `daemon off;
user root;
worker_processes auto;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
${temporary}
  types { application/json json; }
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  server {
    listen ${listen};
    root ${folder}/root;
  }
}
`;
}
