import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { run, tryRun } from '#lab/exec.js';
import { projectRoot } from '#lab/project.js';
import { checkRelease } from '#libs/image-archive/check-release.js';
import { planRelease } from '#libs/simplestreams/plan-release.js';
import { parseTag } from '#libs/simplestreams/tags.js';
import { readWorkflow } from './support/workflow-steps.js';

const script = (name: string) => join(projectRoot(), 'deploy/github', name);
let work: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'webspaces-publishing-'));
  mkdirSync(join(work, 'metadata/templates'), { recursive: true });
  const metadata = 'architecture: x86_64\ncreation_date: 1700000000\nproperties:\n  os: debian\n  release: bookworm\n';
  writeFileSync(join(work, 'metadata/metadata.yaml'), metadata);
  writeFileSync(join(work, 'metadata/templates/hostname.tpl'), '{{ container.name }}\n');
  mkdirSync(join(work, 'root/etc'), { recursive: true });
  writeFileSync(join(work, 'root/etc/motd'), 'hello\n');
  await run('tar', ['-C', join(work, 'root'), '-czf', join(work, 'root.tar.gz'), '.']);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

async function pack(name: string, input: string, ...options: string[]): Promise<Record<string, string>> {
  const folder = join(work, name);
  await run(script('pack-image.sh'), ['-a', 'amd64', '-o', folder, ...options, input]);
  return Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file)).toString('base64')]));
}

describe('pack-image.sh', () => {
  it('makes five assets of a root file system, which the validator accepts, and the same ones again later', async () => {
    const once = await pack('once', join(work, 'root'), '-m', join(work, 'metadata'));
    expect(Object.keys(once).sort()).toEqual([
      ...['combined.amd64.sha256', 'lxd.amd64.tar.xz', 'lxd.amd64.tar.xz.sha256', 'rootfs.amd64.squashfs', 'rootfs.amd64.squashfs.sha256'],
    ]);
    expect((await checkRelease(join(work, 'once'))).problems).toEqual([]);
    cpSync(join(work, 'root'), join(work, 'copy'), { recursive: true });
    cpSync(join(work, 'metadata'), join(work, 'metadata-copy'), { recursive: true });
    expect(await pack('again', join(work, 'copy'), '-m', join(work, 'metadata-copy'))).toEqual(once);
    expect(await pack('of-a-tarball', join(work, 'root.tar.gz'), '-m', join(work, 'metadata'))).toEqual(once);
  });

  it.each(['lxd', 'incus'])('takes what distrobuilder leaves, with %s.tar.xz, byte by byte', async (name) => {
    const once = await pack('once', join(work, 'root'), '-m', join(work, 'metadata'));
    const built = join(work, `built-${name}`);
    mkdirSync(built);
    cpSync(join(work, 'once/lxd.amd64.tar.xz'), join(built, `${name}.tar.xz`));
    cpSync(join(work, 'once/rootfs.amd64.squashfs'), join(built, 'rootfs.squashfs'));
    expect(await pack(`of-${name}`, built)).toEqual(once);
  });

  it.each([
    ['a root without metadata', () => [join(work, 'root')], /needs metadata: -m/],
    ['nothing', () => [join(work, 'missing')], /is not there/],
    ['metadata without its file', () => ['-m', join(work, 'root'), join(work, 'root')], /has no metadata\.yaml/],
    ['two roots', () => [join(work, 'root'), join(work, 'root')], /pack-image\.sh -a ARCH/],
  ])('refuses %s, with the reason', async (_, args, reason) => {
    const { exitCode, stderr } = await tryRun(script('pack-image.sh'), ['-a', 'amd64', '-o', join(work, 'refused'), ...args()]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(reason);
  });
});

describe('release-text.sh', () => {
  it('writes a text from which a server of images knows all checksums', async () => {
    await pack('once', join(work, 'root'), '-m', join(work, 'metadata'));
    const folder = join(work, 'once');
    const body = await run(script('release-text.sh'), ['hello', '1.2.3', folder]);
    const files = ['lxd.amd64.tar.xz', 'rootfs.amd64.squashfs'].map((name) => ({ id: name, name, sizeBytes: 1 }));
    const { variants } = planRelease({ id: 1, tag: 'hello/v1.2.3', prerelease: false, publishedAt: '2026-01-01T00:00:00Z', body, files });
    const sum = (name: string) => readFileSync(join(folder, `${name}.sha256`), 'utf8').slice(0, 64);
    expect(variants).toMatchObject([
      { roots: [{ sha256: sum('rootfs.amd64.squashfs'), combinedSha256: sum('combined.amd64'), type: 'squashfs' }] },
    ]);
  });
});

describe('parse-tag.sh', () => {
  const tags = [
    ...[
      'wordpress/v5.8.0-1',
      'a/b/v1.0.0',
      'a/v1.2.3-rc.1+build.7',
      'v1.0.0',
      'a/v1.0',
      'a/v01.0.0',
      'a/v1.0.0-01',
      'a//v1.0.0',
      'A/v1.0.0',
    ],
    ...['../v1.0.0', 'a/v1.0.0\nb', 'a/v1.0.0 ', '$(id)/v1.0.0', '-a/v1.0.0', 'a/1.0.0', 'a/v1.0.0/b'],
  ];
  it.each(tags)('says of %j what the server of images says', async (tag) => {
    const expected = parseTag(tag);
    const { exitCode, stdout } = await tryRun(script('parse-tag.sh'), [tag]);
    expect(exitCode === 0 ? stdout : undefined).toBe(expected && `image=${expected.image}\nversion=${expected.version}\n`);
  });
});

describe('publish-image.yml', () => {
  const { permissions, jobs } = readWorkflow();
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  it('pins every action by its commit and says which version that is', () => {
    const text = readFileSync(script('publish-image.yml'), 'utf8');
    const used = [...text.matchAll(/uses: (.*)/g)].map(([, what]) => what);
    expect(used.length).toBeGreaterThan(5);
    for (const what of used) expect(what).toMatch(/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('allows a job no more than it needs, and nothing by default', () => {
    expect(permissions).toEqual({});
    expect(jobs['build']?.permissions).toEqual({ contents: 'read' });
    expect(jobs['publish']?.permissions).toEqual({ contents: 'write', 'id-token': 'write', attestations: 'write' });
  });

  it('calls scripts that are there, and puts no text of others into a shell', () => {
    const runs = steps.flatMap((step) => (step.run === undefined ? [] : [step.run]));
    const called = new Set(runs.flatMap((text) => text.match(/deploy\/github\/[\w-]+\.sh/g) ?? []));
    expect(called.size).toBe(5);
    for (const name of called) accessSync(join(projectRoot(), name), constants.X_OK);
    for (const text of runs) expect(text).not.toContain('${{');
  });
});

describe('the definitions', () => {
  it.each(['docker', 'wordpress'])('%s: ordinary mirrors only, and properties by which an SSH server can be installed', (name) => {
    const text = readFileSync(join(projectRoot(), 'deploy/images', `${name}.yaml`), 'utf8');
    expect(new Set([...text.matchAll(/http:\/\/[\w.]+/g)].map(([url]) => url))).toEqual(new Set(['http://deb.debian.org']));
    const { image } = parse(text) as { image: Record<string, string> };
    expect(image).toMatchObject({ distribution: 'debian', release: 'bookworm', variant: name });
  });
});
