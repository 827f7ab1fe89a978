import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packTree } from '../image.js';
import { debianTree } from '../mmdebstrap.js';
import { type Definition, type DefinitionFile, expirySeconds, render, type Trigger } from './definition.js';
import { runInRoot } from './root.js';

export interface BuildOptions {
  /** Of the root file system, as mksquashfs names it; the metadata is always xz. */
  readonly compression: string;
  readonly say: (text: string) => void;
}

/** Makes `incus.tar.xz` and `rootfs.squashfs` in the target folder, by distrobuilder's steps in distrobuilder's order. */
export async function build(definition: Definition, target: string, { compression, say }: BuildOptions): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'webspaces-build-'));
  const root = join(work, 'rootfs');
  const metadata = join(work, 'metadata');
  try {
    mkdirSync(metadata);
    say(`debootstrap: ${definition.source.variant} of ${definition.image.release}`);
    await debianTree(root, {
      variant: definition.source.variant,
      suite: definition.image.release,
      architecture: definition.debianArchitecture,
      url: definition.source.url,
    });
    await installPackages(root, definition, say);
    const templates = definition.files.flatMap((file) => generate(root, metadata, file));
    await act(root, definition, 'post-files');
    // LXD makes the device nodes of a container.
    rmSync(join(root, 'dev'), { recursive: true });
    mkdirSync(join(root, 'dev'));
    writeFileSync(join(metadata, 'metadata.yaml'), `${JSON.stringify(imageMetadata(definition, templates), null, 2)}\n`);
    say(`packing with ${compression}`);
    await packTree(target, { root, metadata, metadataName: 'incus.tar.xz', compression });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function installPackages(root: string, definition: Definition, say: (text: string) => void): Promise<void> {
  const { packages, source, ordinaryUrl } = definition;
  const sources = join(root, 'etc/apt/sources.list');
  const repositories = packages.repositories.map(({ url }) => `${render(url, definition)}\n`).join('');
  // Another mirror is this build's affair: the image's own sources are the definition's.
  writeFileSync(sources, repositories.replaceAll(ordinaryUrl, source.url));
  await act(root, definition, 'post-unpack');
  await apt(root, ['update']);
  if (packages.update) {
    await apt(root, ['dist-upgrade']);
    await act(root, definition, 'post-update');
  }
  for (const { action, flags, packages: names } of packages.sets) {
    say(`${action}: ${names.length} packages and what they need`);
    await apt(root, [action, ...(action === 'remove' ? ['--auto-remove'] : []), ...flags, ...names]);
  }
  if (packages.cleanup) await apt(root, ['clean']);
  writeFileSync(sources, repositories);
  await act(root, definition, 'post-packages');
}

/** Nothing is synchronised to disk: a build that was cut off is thrown away. */
function apt(root: string, args: readonly string[]): Promise<void> {
  return runInRoot(root, ['apt-get', '-y', '-q', '-o', 'Dpkg::Options::=--force-unsafe-io', ...args]);
}

async function act(root: string, { actions }: Definition, trigger: Trigger): Promise<void> {
  for (const { action } of actions.filter((candidate) => candidate.trigger === trigger)) {
    const [, interpreter = ''] = /^#!(\S+)/.exec(action) ?? [];
    await runInRoot(root, [interpreter, '-s'], action);
  }
}

interface Template {
  readonly path: string;
  readonly template: string;
}

function generate(root: string, metadata: string, file: DefinitionFile): Template[] {
  const place = join(root, file.path);
  switch (file.generator) {
    case 'dump':
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, file.content.endsWith('\n') ? file.content : `${file.content}\n`);
      if (file.mode) chmodSync(place, Number.parseInt(file.mode, 8));
      return [];
    case 'remove':
      rmSync(place, { recursive: true, force: true });
      return [];
    case 'hostname':
      return existsSync(place) ? [template(metadata, file.path, 'hostname.tpl', '{{ container.name }}\n')] : [];
    case 'hosts':
      if (!existsSync(place)) return [];
      return [template(metadata, file.path, 'hosts.tpl', `127.0.1.1\t{{ container.name }}\n${readFileSync(place, 'utf8')}`)];
  }
}

function template(metadata: string, path: string, name: string, content: string): Template {
  mkdirSync(join(metadata, 'templates'), { recursive: true });
  writeFileSync(join(metadata, 'templates', name), content);
  return { path, template: name };
}

function imageMetadata(definition: Definition, templates: readonly Template[]): object {
  const { image, debianArchitecture } = definition;
  const created = Math.floor(Date.now() / 1_000);
  return {
    architecture: image.architecture,
    creation_date: created,
    expiry_date: created + expirySeconds(image.expiry),
    properties: {
      architecture: debianArchitecture,
      description: render(image.description, definition),
      name: [image.distribution, image.release, debianArchitecture, image.variant, image.serial].join('-'),
      os: image.distribution,
      release: image.release,
      serial: image.serial,
      variant: image.variant,
    },
    templates: Object.fromEntries(templates.map(({ path, template: name }) => [path, { when: ['create', 'copy'], template: name }])),
  };
}
