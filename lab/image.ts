import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './exec.js';
import { filesBelow, hashFiles, sha256 } from './hash.js';
import { type LxdClient } from './lxd-client.js';
import { projectRoot } from './project.js';
import { cacheFolder, installAtomically } from './tools/cache.js';

export interface ImageOptions {
  /** `ignores-shutdown` never ends by itself; with `broken` the container is made, but its start fails. */
  readonly init?: 'normal' | 'ignores-shutdown' | 'broken';
  /** How long after the start the web server begins to listen. */
  readonly webDelaySeconds?: number;
  /** Tells images apart that are otherwise the same. */
  readonly serial?: string;
  /** The image's property `os`; `hello` unless given, empty for none. */
  readonly os?: string;
  /** Programs to be put in, by path: shell scripts. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Files of the image to be left out. */
  readonly without?: readonly string[];
}

export interface Image {
  readonly metadataFile: string;
  readonly rootfsFile: string;
  readonly fingerprint: string;
}

const BUSYBOX = '/bin/busybox';
const FORMAT = '1';

/** Builds a container image of about 1 MB from busybox, without any download; equal options give the cached one. */
export async function buildImage(options: ImageOptions = {}): Promise<Image> {
  const sources = filesBelow(join(projectRoot(), 'lab', 'image'), () => true);
  const key = sha256(FORMAT, hashFiles([BUSYBOX, ...sources]), JSON.stringify(normalised(options))).slice(0, 16);
  const folder = join(cacheFolder(), 'images', key);
  if (!existsSync(folder)) await installAtomically(folder, (target) => buildInto(target, options));
  const metadataFile = join(folder, 'metadata.tar.xz');
  const rootfsFile = join(folder, 'rootfs.squashfs');
  const fingerprint = await run('sh', ['-c', 'cat "$0" "$1" | sha256sum | cut -d" " -f1', metadataFile, rootfsFile]);
  return { metadataFile, rootfsFile, fingerprint: fingerprint.trim() };
}

/** Brings the image into LXD under the alias; does nothing when both are there. */
export async function importImage(lxd: LxdClient, image: Image, alias: string): Promise<'kept' | 'imported'> {
  const aliasPath = `/1.0/images/aliases/${encodeURIComponent(alias)}`;
  const present = (await lxd.exists(aliasPath)) ? await lxd.request<{ target: string }>('GET', aliasPath) : undefined;
  if (present?.target === image.fingerprint) return 'kept';
  if (!(await lxd.exists(`/1.0/images/${image.fingerprint}`))) {
    const { body, contentType } = multipart(image);
    await lxd.request('POST', '/1.0/images', { body, headers: { 'content-type': contentType, 'x-lxd-public': '0' } });
  }
  if (present) await lxd.request('PUT', aliasPath, { body: { target: image.fingerprint } });
  else await lxd.request('POST', '/1.0/images/aliases', { body: { name: alias, target: image.fingerprint } });
  return 'imported';
}

function normalised(options: ImageOptions): Required<ImageOptions> {
  return { init: 'normal', webDelaySeconds: 0, serial: '1', os: 'hello', programs: {}, without: [], ...options };
}

async function buildInto(target: string, given: ImageOptions): Promise<void> {
  const options = normalised(given);
  const work = mkdtempSync(join(tmpdir(), 'webspaces-image-'));
  try {
    await writeRoot(join(work, 'rootfs'), options);
    await packImage(target, join(work, 'rootfs'), options);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Makes the two files of an image from a root file system; equal ones give equal files. */
export async function packImage(
  target: string,
  root: string,
  options: { readonly os: string; readonly serial: string; readonly compression?: 'xz' | 'gzip' },
): Promise<void> {
  const metadata = mkdtempSync(join(tmpdir(), 'webspaces-image-'));
  try {
    writeMetadata(metadata, options);
    await packTree(target, { root, metadata, metadataName: 'metadata.tar.xz', compression: options.compression ?? 'xz' });
  } finally {
    rmSync(metadata, { recursive: true, force: true });
  }
}

export interface Tree {
  readonly root: string;
  /** The folder with metadata.yaml and templates. */
  readonly metadata: string;
  readonly metadataName: string;
  /** mksquashfs's name of it, with a level behind a dash: `zstd-3`. */
  readonly compression: string;
}

/** Packs a metadata archive and `rootfs.squashfs`; equal trees give equal files. */
export async function packTree(target: string, { root, metadata, metadataName, compression }: Tree): Promise<void> {
  const owner = ['--numeric-owner', '--owner=0', '--group=0', '--sort=name', '--mtime=@1700000000'];
  await run('tar', [...owner, '-C', metadata, '-cJf', join(target, metadataName), ...readdirSync(metadata).sort()]);
  const time = ['-all-time', '1700000000', '-mkfs-time', '1700000000'];
  const [name = '', level] = compression.split('-');
  const form = ['-noappend', '-no-progress', '-quiet', '-comp', name, ...(level ? ['-Xcompression-level', level] : [])];
  await run('mksquashfs', [root, join(target, 'rootfs.squashfs'), ...form, ...time]);
}

async function writeRoot(root: string, options: Required<ImageOptions>): Promise<void> {
  const folders = [
    'bin',
    'sbin',
    'etc',
    'proc',
    'sys',
    'dev',
    'tmp',
    'root/.ssh',
    'run',
    'var/log',
    'usr/share/udhcpc',
    'usr/bin',
    'mnt',
    'www/cgi-bin',
  ];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  chmodSync(join(root, 'root'), 0o700);
  chmodSync(join(root, 'root/.ssh'), 0o700);
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  const applets = (await run(BUSYBOX, ['--list'])).split('\n').filter((name) => name && name !== 'busybox' && name !== 'init');
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
  const source = (name: string) => join(projectRoot(), 'lab', 'image', name);
  cpSync(source('page.html'), join(root, 'usr/share/page.html'));
  executable(join(root, 'usr/share/udhcpc/default.script'), readFileSync(source('udhcpc.sh'), 'utf8'));
  executable(join(root, 'www/cgi-bin/request'), readFileSync(source('request.sh'), 'utf8'));
  executable(join(root, 'sbin/init'), initScript(readFileSync(source('init.sh'), 'utf8'), options));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n');
  writeFileSync(join(root, 'etc/shadow'), 'root:*:19700:0:99999:7:::\nnobody:*:19700:0:99999:7:::\n', { mode: 0o640 });
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n');
  for (const [path, script] of Object.entries(options.programs)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    executable(join(root, path), script);
  }
  for (const path of options.without) rmSync(join(root, path));
  writeFileSync(join(root, 'etc/os-release'), `ID=hello\nNAME="Webspaces hello"\nVERSION_ID=${options.serial}\n`);
}

function initScript(script: string, { init, webDelaySeconds }: Required<ImageOptions>): string {
  if (init === 'broken') return '#!/nonexistent/shell\n';
  const served = script.replace('@WEB_DELAY_SECONDS@', String(webDelaySeconds));
  return init === 'ignores-shutdown' ? served.replace("trap 'exit 0' PWR INT TERM", "trap '' PWR INT TERM") : served;
}

function writeMetadata(work: string, { serial, os }: { readonly os: string; readonly serial: string }): void {
  const templates = join(work, 'templates');
  mkdirSync(templates);
  writeFileSync(join(templates, 'hostname.tpl'), '{{ container.name }}\n');
  writeFileSync(join(templates, 'hosts.tpl'), '127.0.0.1 localhost\n127.0.1.1 {{ container.name }}\n');
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const metadata = {
    architecture,
    creation_date: 1_700_000_000,
    properties: {
      ...(os === '' ? {} : { os }),
      release: serial,
      variant: 'default',
      description: 'Webspaces hello: busybox with a web page',
    },
    templates: {
      '/etc/hostname': { when: ['create', 'copy', 'rename', 'start'], template: 'hostname.tpl' },
      '/etc/hosts': { when: ['create', 'copy', 'rename'], template: 'hosts.tpl' },
    },
  };
  writeFileSync(join(work, 'metadata.yaml'), `${JSON.stringify(metadata, null, 2)}\n`);
}

function executable(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o755 });
}

function multipart({ metadataFile, rootfsFile }: Image): { body: Buffer; contentType: string } {
  const boundary = 'webspaces-lab-image';
  const part = (field: string, file: string) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${field}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    readFileSync(file),
    '\r\n',
  ];
  const pieces = [...part('metadata', metadataFile), ...part('rootfs', rootfsFile), `--${boundary}--\r\n`];
  return { body: Buffer.concat(pieces.map((piece) => Buffer.from(piece))), contentType: `multipart/form-data; boundary=${boundary}` };
}
