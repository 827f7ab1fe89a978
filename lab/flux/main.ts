import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { githubSchema } from '#libs/config/github.js';
import { messageOf } from '#libs/errors/platform-error.js';
import { parseRepository } from '#libs/github/repository.js';
import { createGitops } from '#libs/gitops/create-gitops.js';
import { ClusterKube } from '../cluster/kube.js';
import { DEFAULTS, type StatefulSetOptions, statefulSet } from '../cluster/manifests.js';
import { KubeClient } from '../kube-client.js';
import { Follower } from './follower.js';
import { FLUX } from './repository.js';

/** `<kubeconfig> <settings of GitHub, a file> <file that suspends it> <file of its heartbeat>`: plays Flux for the lab's LXD cluster; it is none. */
const [kubeconfig = '', settings = '', suspended = '', heartbeat = ''] = process.argv.slice(2);
const POLL_MS = 500;

const say = (line: string) => console.log(`${new Date().toISOString()} ${line}`);
const gitops = createGitops(githubSchema.parse(JSON.parse(readFileSync(settings, 'utf8'))));
const kube = new ClusterKube(KubeClient.fromKubeconfig(kubeconfig));
const [owner = '', name = ''] = FLUX.repository.split('/');
const repository = parseRepository(owner, name);

/** Size and policy are none of the file's business: they stay as they are. */
async function apply(wanted: StatefulSetOptions): Promise<void> {
  const there = await kube.statefulSet();
  if (!there) throw new Error('there is no StatefulSet yet');
  const { replicas, podManagementPolicy, updateStrategy } = there.spec;
  const kept = {
    members: replicas,
    podManagementPolicy: podManagementPolicy as 'OrderedReady' | 'Parallel',
    updateStrategy: updateStrategy.type,
  };
  await kube.apply([statefulSet({ ...DEFAULTS, ...kept, ...wanted })]);
}

const follower = new Follower({
  read: () => gitops.readText({ repository, file: FLUX.file, ref: FLUX.base }),
  apply,
  isSuspended: () => existsSync(suspended),
});
say(`plays Flux, is none: follows ${FLUX.file} in ${FLUX.repository}`);

let last = '';
for (;;) {
  // Said once, whatever it is: the simulator or the API server may be away; the next look is a new one.
  const now = await follower.step().catch(messageOf);
  if (now !== last || now === 'applied') say(now);
  last = now;
  writeFileSync(heartbeat, now);
  await delay(POLL_MS);
}
