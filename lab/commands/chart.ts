import { parse, UsageError } from '../arguments.js';
import { ChartLab } from '../chart/chart-lab.js';
import { BASE_DOMAIN, NAMESPACE, TRAEFIK } from '../chart/surroundings.js';
import { startLab } from '../harness.js';
import { readLabFile } from '../lab-file.js';
import { parseProfile } from '../profile.js';
import { bold, cyan, dim, progressOnTerminal, seconds } from '../progress.js';
import { writeTokens } from '../sample.js';

/** `npm run lab:chart`: one real node, the chart installed on it by `helm`, a first webspace made and visited, all in pods. */
export async function chart(args: readonly string[], startedAt: number): Promise<number> {
  parse(args, {});
  if (readLabFile(parseProfile(process.env['WEBSPACES_LAB'] ?? 'dev'))?.mode === 'existing')
    throw new UsageError('a lab on existing systems is there already: npm run down first');
  const progress = progressOnTerminal(startedAt);
  const lab = await startLab({ profile: 'dev', nodes: 1, apps: 'none', progress });
  const platform = new ChartLab(lab);
  await platform.install(progress);
  await progress.step("alice's webspace through the API", () => firstWebspace(platform));
  await progress.step('its page through Traefik, and so its boot', async () => `${(await platform.page('alice')).length} bytes`);
  const address = await platform.traefikAddress();
  const row = (name: string, value: string, remark = '') =>
    console.log(`  ${bold(name.padEnd(12))}${cyan(value)}${remark && dim(`   ${remark}`)}`);
  const curl = (host: string) => `curl --cacert ${lab.caFile} --resolve ${host}.${BASE_DOMAIN}:${TRAEFIK.websecure}:${address}`;
  const { alice } = writeTokens(lab.profile);
  console.log(`\n${bold('The chart is installed')} ${dim(`(${seconds(Date.now() - startedAt)})`)}\n`);
  row('Kubernetes', `export KUBECONFIG=${lab.kubeconfigAdmin}`, `kubectl: ${lab.stack.tools.kubectl}`);
  row('Pods', `kubectl -n ${NAMESPACE} get pods`);
  row('LXD', `kubectl -n ${NAMESPACE} exec lxd-0 -c member -- lxc list`);
  row('Site', `${curl('alice')} https://alice.${BASE_DOMAIN}:${TRAEFIK.websecure}/`);
  row('API', `${curl('api')} -H "Authorization: Bearer ${alice}" https://api.${BASE_DOMAIN}:${TRAEFIK.websecure}/v1/webspace/self`);
  row('Stop', 'npm run down');
  return 0;
}

async function firstWebspace(platform: ChartLab): Promise<string> {
  const { status, body } = await platform.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' });
  if (status === 201) return 'made';
  if (status === 409) return 'is there';
  throw new Error(`the API answered ${status}: ${body.slice(0, 200)}`);
}
