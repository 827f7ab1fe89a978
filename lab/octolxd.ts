import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { accepts } from './accepts.js';
import { codeHash, configFile, labGithub } from './apps.js';
import { http } from './http.js';
import type { Certificate, CertificateAuthority } from './pki.js';
import { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import { projectRoot } from './project.js';

/** The sample repository of images. */
export const SAMPLE_REPOSITORY = 'example/images';

/** At the host's end of the link, where LXD in its sandbox reaches it, too. */
export function octolxdUrl({ network, ports }: Profile, port = ports.octolxd): string {
  return `https://${network.hostLink.host}:${port}`;
}

/** What stands for GitHub in the lab: a simulator. */
export function githubUrl({ ports }: Profile): string {
  return `http://127.0.0.1:${ports.github}`;
}

/** The server's certificate, of the lab's authority, for the link's address and this machine. */
export function octolxdCertificate(ca: CertificateAuthority, { network }: Profile): Promise<Certificate> {
  return ca.server('octolxd', [`IP:${network.hostLink.host}`, 'IP:127.0.0.1', 'DNS:localhost']);
}

export async function writeOctolxdFiles(profile: Profile, ca: CertificateAuthority): Promise<void> {
  const { network, ports, paths } = profile;
  const config = {
    listen: `${network.hostLink.host}:${ports.octolxd}`,
    tls: await octolxdCertificate(ca, profile),
    publicUrl: octolxdUrl(profile),
    github: labGithub(profile),
    allow: ['example'],
    refreshSeconds: 5,
    cacheFolder: join(paths.state, 'octolxd'),
    // LXD in its sandbox does not reach what listens on the host's loopback.
    files: { serve: 'proxy' },
  };
  mkdirSync(paths.apps, { recursive: true, mode: 0o700 });
  writeFileSync(configFile(profile, 'octolxd'), stringify(config), { mode: 0o600 });
}

/** The image server for LXD and Incus. */
export function octolxdProcess(profile: Profile): LabProcess {
  return serverProcess(profile, { name: 'octolxd', url: octolxdUrl(profile) });
}

/** A second one with other settings, for tests. */
export function octolxdBeside(
  profile: Profile,
  changes: object,
  scheme: 'http' | 'https' = 'https',
): { readonly process: LabProcess; readonly url: string } {
  const port = profile.ports.octolxd + 1;
  const { tls, ...usual } = parse(readFileSync(configFile(profile, 'octolxd'), 'utf8')) as { tls: object };
  const listen = `${profile.network.hostLink.host}:${port}`;
  const url = octolxdUrl(profile, port).replace('https', scheme);
  const config = { ...usual, ...(scheme === 'https' ? { tls } : {}), listen, publicUrl: url, ...changes };
  writeFileSync(configFile(profile, 'octolxd-beside'), stringify(config), { mode: 0o600 });
  return { process: serverProcess(profile, { name: 'octolxd-beside', url }), url };
}

/** A simulator of GitHub that serves a folder of the lab as releases. */
export function githubProcess(profile: Profile): LabProcess {
  const { ports, paths } = profile;
  const root = projectRoot();
  const script = join(root, 'dist', 'lab', 'github', 'main.js');
  return new LabProcess(profile, {
    name: 'github',
    spec: () => ({
      command: process.execPath,
      args: [script, paths.github, String(ports.github), String(ports.githubStorage), join(paths.state, 'github.token')],
      cwd: root,
      inputs: codeHash(root) + readFileSync(script, 'utf8'),
    }),
    healthy: async () => (await accepts('127.0.0.1', ports.github)) && (await accepts('127.0.0.1', ports.githubStorage)),
    readyTimeoutMs: 30_000,
  });
}

function serverProcess(profile: Profile, { name, url }: { readonly name: string; readonly url: string }): LabProcess {
  const root = projectRoot();
  const config = configFile(profile, name);
  const ready = async () => {
    const ca = readFileSync(profile.paths.caFile, 'utf8');
    return (await http(`${url}/health/ready`, { ca, timeoutMs: 2_000 })).status === 200;
  };
  return new LabProcess(profile, {
    name,
    spec: () => ({
      command: process.execPath,
      args: ['--enable-source-maps', join(root, 'dist', 'apps', 'octolxd', 'main.js'), '--config', config],
      cwd: root,
      inputs: codeHash(root) + readFileSync(config, 'utf8'),
    }),
    healthy: ready,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 15_000,
  });
}
