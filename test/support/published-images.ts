import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '#lab/harness.js';
import { ARCHITECTURE } from '#lab/image-release.js';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import type { GithubDouble } from '#libs/testing/github-double/index.js';
import type { Member } from './members.js';
import { WorkflowSteps } from './workflow-steps.js';

export const REPOSITORY = 'society/images';
const TOKEN = 'ghp_of-the-workflow';

export interface Published {
  readonly steps: WorkflowSteps;
  readonly checked: string;
  readonly url: string;
}

/** A repository of images, of which there are none yet. */
export function openRepository(github: GithubDouble): void {
  github.store.create(REPOSITORY);
  github.access.tokens.add(TOKEN);
}

/** What a pushed tag sets going: every step of the workflow, in its order, for this machine's architecture. */
export async function publishImage(github: GithubDouble, tag: string, folder: string): Promise<Published> {
  const steps = new WorkflowSteps(folder, {
    ...{ TAG: tag, DEFINITIONS: 'deploy/images', ARCH: ARCHITECTURE, GITHUB_REPOSITORY: REPOSITORY, GITHUB_API_URL: github.url },
    // Fast to make and to unpack; a release takes the default.
    COMPRESSION: 'zstd-3',
  });
  const builder = join(folder, 'bin/distrobuilder');
  writeFileSync(builder, `#!/bin/sh\nexec '${process.execPath}' '${join(projectRoot(), 'dist/lab/image-builder/main.js')}' "$@"\n`);
  chmodSync(builder, 0o755);
  await steps.run('build', 'tag');
  const { image = '', version = '' } = steps.outputs();
  await steps.run('build', 'build', { IMAGE: image, VERSION: version });
  await steps.run('build', 'pack');
  const checked = await steps.run('publish', 'check');
  await steps.run('publish', 'text');
  const url = (await steps.run('publish', 'release', { GITHUB_TOKEN: TOKEN })).trim();
  return { steps, checked, url };
}

/** The release's checksum of that name, out of its text. */
export function checksumIn(text: string, name: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.split('  '))
    .find(([, named]) => named === name)?.[0];
}

/** Its address by LXD, once the container has asked for it by DHCP. */
export function addressOf(lab: Lab, instance: string): Promise<string> {
  const look = async () => {
    const { network } = JSON.parse(await lab.lxc(['query', `/1.0/instances/${instance}/state`])) as State;
    return network?.['eth0']?.addresses.find(({ family, scope }) => family === 'inet' && scope === 'global')?.address;
  };
  return waitFor(`an address of ${instance}`, look, { timeoutMs: 90_000, intervalMs: 250 });
}

interface State {
  readonly network: Readonly<Record<string, { readonly addresses: readonly { family: string; scope: string; address: string }[] }>> | null;
}

export async function systemIsUp(lab: Lab, { webspace }: Pick<Member, 'webspace'>): Promise<string> {
  const state = () =>
    lab.lxc(['exec', webspace, '--', 'systemctl', 'is-system-running', '--wait']).then(
      (said) => said.trim(),
      async () => (await lab.lxc(['exec', webspace, '--', 'systemctl', '--failed', '--plain', '--no-legend'])).trim() || undefined,
    );
  return waitFor(`systemd of ${webspace}`, state, { timeoutMs: 120_000, intervalMs: 500 });
}

/** A tar archive that `docker load` takes: one layer, with busybox. */
export const DOCKER_IMAGE = `set -e
mkdir -p layer/bin layer/www image
cp "$1" layer/bin/busybox
for applet in sh echo httpd; do ln -s busybox layer/bin/$applet; done
echo 'served by a container in a container' > layer/www/index.html
tar -C layer -cf image/layer.tar .
id=$(sha256sum image/layer.tar | cut -d' ' -f1)
printf '{"architecture":"%s","os":"linux","config":{"Cmd":["/bin/echo","hello from inside"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$2" "$id" > image/config.json
printf '[{"Config":"config.json","RepoTags":["hello:latest"],"Layers":["layer.tar"]}]' > image/manifest.json
tar -C image -cf hello.tar .
`;

export function readText(github: GithubDouble, tag: string): Promise<string | undefined> {
  return github.store.releases(REPOSITORY).then((all) => all?.find((release) => release.tag === tag)?.body);
}

export function assetText(published: Published, name: string): string {
  return readFileSync(join(published.steps.assets, name), 'utf8');
}
