import { parse, profileArgument, UsageError } from '../arguments.js';
import { type ClusterLab, startClusterLab } from '../cluster/harness.js';
import { CLUSTER } from '../cluster/manifests.js';
import { readLabFile } from '../lab-file.js';
import { bold, cyan, dim, progressOnTerminal, seconds } from '../progress.js';

const MEMBERS = [1, 3, 5];

/** `npm run lab:cluster`: the lab of `npm start`, real nodes, and a cluster of LXD in pods on them, one on each. */
export async function cluster(args: readonly string[], startedAt: number): Promise<number> {
  const { values } = parse(args, {
    members: { type: 'string' },
    nodes: { type: 'string' },
    'no-apps': { type: 'boolean' },
    parallel: { type: 'boolean' },
    probes: { type: 'string' },
  });
  const members = number(values.members ?? '3', '--members');
  const nodes = number(values.nodes ?? String(members), '--nodes');
  if (!MEMBERS.includes(members) || nodes < members || nodes > 9)
    throw new UsageError('--members is 1, 3 or 5, and --nodes at least as many and at most 9: each node takes one member');
  const probes = values.probes ?? 'exec';
  if (probes !== 'exec' && probes !== 'lease' && probes !== 'none') throw new UsageError('--probes is exec, lease or none');
  if (readLabFile(profileArgument(undefined))?.mode === 'existing')
    throw new UsageError('a lab on existing systems is there already: npm run down first');
  const lab = await startClusterLab({
    profile: 'dev',
    members,
    nodes,
    probes,
    podManagementPolicy: values.parallel ? 'Parallel' : 'OrderedReady',
    apps: values['no-apps'] ? 'none' : 'all',
    settings: { storage: { kind: 'longhorn' } },
    progress: progressOnTerminal(startedAt),
  });
  printSummary(lab, startedAt);
  return 0;
}

function number(text: string, option: string): number {
  if (!/^\d+$/.test(text)) throw new UsageError(`${option} is a number`);
  return Number(text);
}

function printSummary({ lab, memberNames }: ClusterLab, startedAt: number): void {
  const row = (name: string, value: string, remark = '') =>
    console.log(`  ${bold(name.padEnd(14))}${cyan(value)}${remark && dim(`   ${remark}`)}`);
  const { namespace, statefulSet, container } = CLUSTER;
  console.log(`\n${bold('The cluster is running')} ${dim(`(${seconds(Date.now() - startedAt)})`)}\n`);
  row('Kubernetes', `export KUBECONFIG=${lab.kubeconfigAdmin}`, `kubectl: ${lab.stack.tools.kubectl}`);
  row('Pods', `kubectl -n ${namespace} get pods -o wide`, `StatefulSet ${statefulSet}: ${memberNames.join(', ')}`);
  row('LXD', `kubectl -n ${namespace} exec ${memberNames[0]} -c ${container} -- lxc cluster list`);
  row('API', lab.profile.urls.api);
  row('Temporal UI', lab.profile.urls.temporalUi);
  console.log(`\n  ${bold('Look'.padEnd(14))}npm run status · npm run logs -- node-1-kubelet -f`);
  console.log(`  ${bold('Stop'.padEnd(14))}npm run down\n`);
}
