import { join } from 'node:path';
import { parse, UsageError } from '../arguments.js';
import { type Lab, startLab, visit } from '../harness.js';
import { readLabFile } from '../lab-file.js';
import { octolxdUrl, SAMPLE_REPOSITORY } from '../octolxd.js';
import { type Profile, parseProfile, siteUrl } from '../profile.js';
import { bold, cyan, dim, progressOnTerminal, seconds } from '../progress.js';
import { makeSampleWebspace, writeTokens } from '../sample.js';
import { waitFor } from '../wait.js';
import { startOnExisting } from './existing.js';

/** `npm start`: everything up, a first webspace made, and what to look at printed. */
export async function start(args: readonly string[], startedAt: number): Promise<number> {
  const { values } = parse(args, {
    'use-existing': { type: 'boolean' },
    sample: { type: 'boolean' },
    internet: { type: 'boolean' },
    'temporal-in-memory': { type: 'boolean' },
    'no-apps': { type: 'boolean' },
  });
  const profile = parseProfile(process.env['WEBSPACES_LAB'] ?? 'dev');
  const progress = progressOnTerminal(startedAt);
  const mode = values['use-existing'] ? 'existing' : 'own';
  const before = readLabFile(profile);
  if (before && before.mode !== mode) {
    throw new UsageError(
      `a lab ${before.mode === 'own' ? 'of its own parts' : 'on existing systems'} is there already: npm run down first`,
    );
  }
  if (mode === 'existing') return startOnExisting(profile, { sample: values.sample ?? false, progress, startedAt });
  const apps = values['no-apps'] ? 'none' : 'all';
  const lab = await startLab({
    profile: 'dev',
    apps,
    temporalInMemory: values['temporal-in-memory'] ?? false,
    internet: values.internet ?? false,
    progress,
  });
  if (apps === 'all') {
    await progress.step("alice's webspace through the API", () => makeSampleWebspace(profile));
    await progress.step('its page through Traefik over HTTPS', () => fetchPage(profile));
  }
  printSummary(lab, apps, startedAt);
  return 0;
}

async function fetchPage(profile: Profile): Promise<string> {
  const answer = async () => {
    const page = await visit(profile, 'alice');
    if (page.status !== 200) throw new Error(`${page.status} ${page.body.slice(0, 100)}`);
    return page;
  };
  const page = await waitFor(siteUrl(profile, 'alice'), answer, { timeoutMs: 30_000, intervalMs: 100 });
  return `${page.status}, ${page.body.length} bytes`;
}

function printSummary(lab: Lab, apps: 'all' | 'none', startedAt: number): void {
  const { profile } = lab;
  const { urls, paths } = profile;
  const row = (name: string, value: string, remark = '') =>
    console.log(`  ${bold(name.padEnd(14))}${cyan(value)}${remark && dim(`   ${remark}`)}`);
  console.log(`\n${bold('Webspaces is running')} ${dim(`(${seconds(Date.now() - startedAt)})`)}\n`);
  if (apps === 'all') {
    row('Site', siteUrl(profile, 'alice'), "alice's webspace");
    row('API', urls.api, `Swagger UI: ${urls.swagger}`);
    row('Images', `${octolxdUrl(profile)}/${SAMPLE_REPOSITORY}`, 'releases of a simulator of GitHub, for LXD and Incus');
  }
  row('Temporal UI', urls.temporalUi, 'every step of every operation');
  row('Traefik', `${urls.traefik}/dashboard/`);
  row('Kubernetes', `KUBECONFIG=${lab.kubeconfigAdmin}`, `kubectl: ${lab.stack.tools.kubectl}`);
  row('LXD', `LXD_DIR=${paths.lxd} lxc list`);
  if (apps === 'all') printUse(profile);
  console.log(`\n  ${bold('Look'.padEnd(14))}npm run status · npm run logs -- worker -f`);
  console.log(`  ${bold('Stop'.padEnd(14))}npm run down\n`);
}

function printUse(profile: Profile): void {
  const tokens = writeTokens(profile);
  console.log(`\n  ${bold('Try')}`);
  console.log(`  curl --cacert ${profile.paths.caFile} ${siteUrl(profile, 'alice')}/`);
  console.log(`  curl -H "Authorization: Bearer $(cat ${join(profile.paths.tokens, 'alice')})" ${profile.urls.api}/v1/webspace/self`);
  console.log(`  export LXD_DIR=${profile.paths.lxd} LXD_CONF=${profile.paths.lxcConfig} SSL_CERT_FILE=${profile.paths.caFile}`);
  console.log(`  lxc remote add example ${octolxdUrl(profile)}/${SAMPLE_REPOSITORY} --protocol simplestreams; lxc image list example:`);
  console.log(dim(`  For the browser import ${profile.paths.caFile} as an authority, or accept its warning.`));
  console.log(`\n  ${bold('Tokens of the sample users')} ${dim(`(also in ${profile.paths.tokens}/)`)}`);
  for (const [username, token] of Object.entries(tokens)) console.log(`  ${username.padEnd(8)}${token}`);
}
