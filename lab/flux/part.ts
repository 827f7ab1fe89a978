import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHash, labGithub } from '../apps.js';
import { filesBelow, hashFiles } from '../hash.js';
import { http } from '../http.js';
import { githubProcess, githubUrl } from '../octolxd.js';
import { LabProcess } from '../process.js';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import { FLUX, firstRelease } from './repository.js';

const HEARTBEAT_MS = 10_000;
type Files = Readonly<Record<'settings' | 'suspended' | 'heartbeat', string>>;

export interface Pull {
  readonly title: string;
  readonly body: string;
  readonly state: 'open' | 'closed';
  readonly merged: boolean;
}

/** Settings of `libs/github` with a credential that may write in the lab's simulator. */
export function labGithubWriter(profile: Profile) {
  return { ...labGithub(profile), auth: { kind: 'token' as const, tokenFile: join(profile.paths.state, 'github.token') } };
}

/** What plays Flux in the lab. Starts with the first `ensure`; nothing is applied before. */
export class FluxPart {
  readonly process: LabProcess;
  private readonly files: Files;

  constructor(
    private readonly profile: Profile,
    kubeconfig: string,
  ) {
    const folder = join(profile.paths.cluster, 'flux');
    this.files = { settings: join(folder, 'github.json'), suspended: join(folder, 'suspended'), heartbeat: join(folder, 'heartbeat') };
    this.process = fluxProcess(profile, kubeconfig, this.files);
  }

  /** With the simulator of GitHub, which makes the repository. */
  async ensure(): Promise<void> {
    await githubProcess(this.profile).ensure();
    mkdirSync(join(this.profile.paths.cluster, 'flux'), { recursive: true });
    writeFileSync(this.files.settings, JSON.stringify(labGithubWriter(this.profile)));
    await this.process.ensure();
  }

  /** The repository and what follows it as a cluster begins that was made anew, whatever was there before. */
  async begin(probes: 'exec' | 'lease'): Promise<void> {
    await githubProcess(this.profile).ensure();
    this.resume();
    await this.act('write', { file: FLUX.file, text: firstRelease(probes), by: 'lab' });
    await this.ensure();
  }

  /** What GitHub says of a pull request. */
  async pull(number: number): Promise<Pull> {
    const headers = { authorization: `Bearer ${readFileSync(labGithubWriter(this.profile).auth.tokenFile, 'utf8').trim()}` };
    const answer = await http(`${githubUrl(this.profile)}/repos/${FLUX.repository}/pulls/${number}`, { headers, timeoutMs: 5_000 });
    if (answer.status !== 200)
      throw new Error(`the simulator of GitHub answered ${answer.status} for pull request ${number}: ${answer.body}`);
    return answer.json<Pull>();
  }

  /** It stops following, as a suspended HelmRelease does. */
  suspend(): void {
    writeFileSync(this.files.suspended, '');
  }

  resume(): void {
    rmSync(this.files.suspended, { force: true });
  }

  /** Acts as a person in the repository: `act('merge', { number: 1, by: 'bob' })` (libs/testing/github-double/git/control-routes.ts). */
  async act(action: string, body: object): Promise<void> {
    const url = `${githubUrl(this.profile)}/_simulator/${FLUX.repository}/${action}`;
    const answer = await http(url, { method: 'POST', body, timeoutMs: 5_000 });
    if (answer.status !== 200) throw new Error(`the simulator of GitHub answered ${answer.status} to ${action}: ${answer.body}`);
  }
}

function fluxProcess(profile: Profile, kubeconfig: string, files: Files): LabProcess {
  const root = projectRoot();
  const folder = join(root, 'dist', 'lab', 'flux');
  return new LabProcess(profile, {
    name: 'flux',
    spec: () => ({
      command: process.execPath,
      args: ['--enable-source-maps', join(folder, 'main.js'), kubeconfig, files.settings, files.suspended, files.heartbeat],
      cwd: root,
      inputs: codeHash(root) + hashFiles(filesBelow(folder, (name) => name.endsWith('.js'))) + readFileSync(kubeconfig, 'utf8'),
    }),
    healthy: async () => existsSync(files.heartbeat) && Date.now() - statSync(files.heartbeat).mtimeMs < HEARTBEAT_MS,
    readyTimeoutMs: 30_000,
  });
}
