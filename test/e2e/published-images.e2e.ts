import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from '#lab/exec.js';
import { http } from '#lab/http.js';
import { ARCHITECTURE } from '#lab/image-release.js';
import { octolxdBeside } from '#lab/octolxd.js';
import { waitFor } from '#lab/wait.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { ImportLab } from '../support/image-imports.js';
import { githubSettings, writeImageSettings } from '../support/image-releases.js';
import { FULL, inFullRun, openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import {
  addressOf,
  assetText,
  checksumIn,
  DOCKER_IMAGE,
  openRepository,
  type Published,
  publishImage,
  REPOSITORY,
  readText,
  systemIsUp,
} from '../support/published-images.js';

/** Both are built from their definitions; in CI one, with what is inside of it. */
const IMAGES: readonly string[] = FULL ? ['docker', 'wordpress'] : ['wordpress'];
const VERSION = '1.0.0';
const NESTED = 'published-images-nested';
/** A system with systemd, a database and a web server, on a busy machine. */
const STARTUP_SECONDS = 60;

let session: Session;
let github: GithubDouble;
let imports: ImportLab;
let work: string;
const published = new Map<string, Published>();
beforeAll(async () => {
  session = await openSession();
  github = await startGithubDouble();
  openRepository(github);
  imports = await ImportLab.open(session);
  writeImageSettings(session.lab, 'worker', githubSettings(github));
  await session.lab.process('worker').restart();
  work = mkdtempSync(join(tmpdir(), 'webspaces-publish-'));
  for (const image of IMAGES) {
    const begun = Date.now();
    published.set(image, await publishImage(github, `${image}/v${VERSION}`, join(work, image)));
    report(`${image}: built (or from the cache), packed, checked and published`, `${((Date.now() - begun) / 1000).toFixed(1)} s`);
  }
  await session.lab.lxc(['profile', 'create', NESTED]);
  await session.lab.lxc(['profile', 'set', NESTED, 'security.nesting=true']);
}, 1_200_000);
afterAll(async () => {
  await imports?.close();
  await session?.lab.lxc(['profile', 'delete', NESTED]).catch(() => undefined);
  await github?.close();
  rmSync(work, { recursive: true, force: true });
  await session?.close();
}, 180_000);

const inside = ({ webspace }: Member, ...command: string[]) => session.lab.lxc(['exec', webspace, '--', ...command]);
const assetsOf = (image: string) => (published.get(image) as Published).steps.assets;

interface Items {
  readonly [name: string]: { readonly combined_squashfs_sha256?: string };
}
const fingerprintOf = async (image: string) =>
  checksumIn((await readText(github, `${image}/v${VERSION}`)) ?? '', `combined.${ARCHITECTURE}`);

/** A webspace of the image, made and booted through the API. */
async function running(index: number, image: string, prepare?: (member: Member) => Promise<unknown>): Promise<Member> {
  const { members } = session;
  const member = members.one(index);
  await members.create(member, image);
  await members.expect(200, member, 'PATCH', '/config', { startupDelay: STARTUP_SECONDS });
  await prepare?.(member);
  await members.expect(204, member, 'POST', '/state');
  return member;
}

describe('row 58: image build pipeline', () => {
  it.each(IMAGES)(
    '%s: a tag becomes a release with five assets, which the validator accepts, and whose text has their checksums',
    async (image) => {
      const [release, ...others] = ((await github.store.releases(REPOSITORY)) ?? []).filter(({ tag }) => tag.startsWith(`${image}/`));
      expect(others).toEqual([]);
      expect(release).toMatchObject({ tag: `${image}/v${VERSION}`, draft: false, prerelease: false });
      const names = ['rootfs', 'lxd'].map((part) => `${part}.${ARCHITECTURE}.${part === 'lxd' ? 'tar.xz' : 'squashfs'}`);
      expect(release?.assets.map(({ name }) => name).sort()).toEqual(
        [`combined.${ARCHITECTURE}.sha256`, ...names.flatMap((name) => [name, `${name}.sha256`])].sort(),
      );
      const done = published.get(image) as Published;
      expect(done.checked).toContain('ok: this can be published');
      expect(done.checked).toContain(`debian bookworm ${image}`);
      expect(done.url).toBe(`${github.url}/${REPOSITORY}/releases/tag/${image}/v${VERSION}`);
      const text = (await readText(github, `${image}/v${VERSION}`)) ?? '';
      for (const name of names) {
        const { digest } = release?.assets.find((asset) => asset.name === name) ?? {};
        expect(`sha256:${checksumIn(text, name)}`).toBe(digest);
        expect(assetText(done, `${name}.sha256`)).toContain(checksumIn(text, name));
      }
    },
  );

  it('the image server offers them, under the fingerprints that the releases say', async () => {
    const { lab } = session;
    const beside = octolxdBeside(lab.profile, { ...githubSettings(github), allow: [REPOSITORY] });
    await beside.process.start();
    try {
      const ca = readFileSync(lab.caFile, 'utf8');
      const answer = await http(`${beside.url}/${REPOSITORY}/streams/v1/images.json`, { ca });
      expect(answer.status).toBe(200);
      const { products } = answer.json<{ products: Record<string, { os: string; versions: Record<string, { items: Items }> }> }>();
      const offered = Object.values(products).map(
        ({ versions }) => Object.values(versions)[0]?.items['lxd.tar.xz']?.combined_squashfs_sha256,
      );
      expect(offered.sort()).toEqual((await Promise.all(IMAGES.map(fingerprintOf))).sort());
    } finally {
      await beside.process.stop();
    }
  }, 60_000);

  it.each(IMAGES)(
    '%s: is imported under the fingerprint that the release says',
    async (image) => {
      const begun = Date.now();
      const id = await imports.begin({ github: `github:${REPOSITORY}/${image}@${VERSION}` });
      const { fingerprint, alias } = await imports.result(id, 180_000);
      report(`${image}: imported`, `${((Date.now() - begun) / 1000).toFixed(1)} s`);
      expect([alias, fingerprint]).toEqual([image, await fingerprintOf(image)]);
      expect((await imports.imageBehind(image))?.properties).toMatchObject({
        ...{ os: 'debian', release: 'bookworm', variant: image, serial: VERSION, 'webspaces.version': VERSION },
      });
    },
    240_000,
  );
});

describe('row 59: WordPress image first boot', () => {
  let member: Member;
  it('serves the installer to the first visitor, without manual steps, at an address it got by DHCP', async () => {
    const { lab, members } = session;
    const begun = Date.now();
    member = await running(40, 'wordpress');
    const first = await lab.visit(member.username, '/', { timeoutMs: 90_000 });
    report('WordPress: created, booted for the first time and visited', `${((Date.now() - begun) / 1000).toFixed(1)} s`);
    const site = `https://${member.username}.${lab.profile.baseDomain}:${lab.profile.ports.websecure}`;
    expect([first.status, first.headers['location']]).toEqual([302, `${site}/wp-admin/install.php`]);
    const installer = await lab.visit(member.username, '/wp-admin/install.php');
    expect(installer.status).toBe(200);
    expect(installer.body).toMatch(/<form id="setup" method="post" action="install\.php\?step=2"/);
    expect(installer.body).toContain(`href='${site}/wp-admin/css/install.min.css`);
    expect(await addressOf(lab, member.webspace)).toBe((await members.record(member)).network.address);
    expect(await systemIsUp(lab, member)).toBe('running');
  }, 240_000);

  it('has a database, a password and salts of its own', async () => {
    const listed = await run('unsquashfs', ['-l', join(assetsOf('wordpress'), `rootfs.${ARCHITECTURE}.squashfs`), 'etc/wordpress']);
    expect(listed).not.toContain('config-default.php');
    const config = await inside(member, 'cat', '/etc/wordpress/config-default.php');
    const secrets = [...config.matchAll(/'(DB_PASSWORD|\w+_KEY|\w+_SALT)', '([^']{64})'/g)].map(([, , secret]) => secret);
    expect(new Set(secrets).size).toBe(9);
    expect((await inside(member, 'stat', '-c', '%a %U %G', '/etc/wordpress/config-default.php')).trim()).toBe('640 root www-data');
  }, 30_000);

  it('can be installed by its form, and is the site of its member after a reboot', async () => {
    const { lab, members } = session;
    const form = new URLSearchParams({
      ...{
        weblog_title: 'Of a member',
        user_name: 'member',
        admin_password: 'correct horse battery',
        admin_password2: 'correct horse battery',
      },
      ...{ pw_weak: 'on', admin_email: 'member@example.org', blog_public: '0', language: '' },
    });
    const installed = await lab.visit(member.username, '/wp-admin/install.php?step=2', {
      ...{ method: 'POST', body: Buffer.from(String(form)), timeoutMs: 60_000 },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(installed.body).toContain('WordPress has been installed');
    await members.expect(204, member, 'PUT', '/state');
    const page = await waitFor(
      'the member’s site',
      async () => {
        const answer = await lab.visit(member.username, '/', { timeoutMs: 60_000 });
        return answer.status === 200 ? answer : undefined;
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    );
    expect(page.body).toContain('<title>Of a member</title>');
  }, 240_000);
});

inFullRun(describe)('row 60: Docker image', () => {
  let member: Member;
  it('runs dockerd where the profile allows nesting, at an address it got by DHCP', async () => {
    const { lab, members } = session;
    member = await running(41, 'docker', ({ webspace }) => lab.lxc(['profile', 'add', webspace, NESTED]));
    expect(await addressOf(lab, member.webspace)).toBe((await members.record(member)).network.address);
    expect(await systemIsUp(lab, member)).toBe('running');
    const info = JSON.parse(await inside(member, 'docker', 'info', '--format', '{{json .}}')) as Record<string, unknown>;
    expect(info).toMatchObject({
      Driver: 'overlay2',
      OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
      MemoryLimit: true,
      PidsLimit: true,
    });
  }, 240_000);

  it('docker run says hello from a container in the container', async () => {
    const { lab } = session;
    const folder = join(work, 'hello');
    await run('sh', ['-c', `mkdir ${folder}; cd ${folder}; ${DOCKER_IMAGE}`, 'sh', '/bin/busybox', ARCHITECTURE]);
    await lab.lxc(['file', 'push', '-q', join(folder, 'hello.tar'), `${member.webspace}/root/hello.tar`]);
    expect(await inside(member, 'docker', 'load', '-q', '-i', '/root/hello.tar')).toBe('Loaded image: hello:latest\n');
    expect(await inside(member, 'docker', 'run', '--rm', 'hello')).toBe('hello from inside\n');
    expect(await inside(member, 'docker', 'run', '--rm', '--memory', '32m', '--pids-limit', '50', 'hello')).toBe('hello from inside\n');
  }, 120_000);

  it('a published port of such a container is the member’s site', async () => {
    const { lab } = session;
    await inside(member, 'docker', 'run', '-d', '--restart', 'always', '-p', '80:80', 'hello', '/bin/httpd', '-f', '-h', '/www');
    const page = await waitFor(
      'the site out of the inner container',
      async () => {
        const answer = await lab.visit(member.username);
        return answer.status === 200 ? answer : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    expect(page.body).toBe('served by a container in a container\n');
  }, 90_000);

  it('limits of CPU time are refused where the kernel has no quotas for it, and no container may mount by itself', async () => {
    const { CPUCfsQuota } = JSON.parse(await inside(member, 'docker', 'info', '--format', '{{json .}}')) as { CPUCfsQuota: boolean };
    report('CPU quotas in nested containers', CPUCfsQuota ? 'allowed by this kernel' : 'not in this kernel');
    const limited = inside(member, 'docker', 'run', '--rm', '--cpus', '1', 'hello').catch(String);
    expect(await limited).toContain(
      CPUCfsQuota ? 'hello from inside' : 'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler',
    );
    const mounts = inside(member, 'docker', 'run', '--rm', 'hello', '/bin/busybox', 'mount', '-t', 'tmpfs', 'none', '/www').catch(String);
    expect(await mounts).toContain('permission denied');
  }, 60_000);
});
