import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, tryRun } from './exec.js';
import type { Profile } from './profile.js';

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

/**
 * `--internet` only: the one setting in which the lab changes the host. Forwarding is switched on (and back by `down`), and a table of
 * our own hides the containers behind the host's address.
 */
export async function ensureInternet(profile: Profile, sandboxInit: number): Promise<void> {
  const { network } = profile;
  const saved = savedForwarding(profile);
  if (!existsSync(saved)) writeFileSync(saved, readFileSync(FORWARDING, 'utf8'));
  writeFileSync(FORWARDING, '1\n');
  await run('nft', ['-f', '-'], { input: hostRules(profile) });
  await run('ip', ['-n', network.routerNamespace, 'route', 'replace', 'default', 'via', network.hostLink.host, 'dev', 'host']);
  await run('nsenter', [
    '-t',
    String(sandboxInit),
    '-n',
    'ip',
    'route',
    'replace',
    'default',
    'via',
    network.lxdLink.router,
    'dev',
    'uplink',
  ]);
  const allow = `insert rule inet lab forward iifname "lxd" ip daddr != { ${network.linkSubnet}, ${network.containerSubnet} } accept`;
  await run('nsenter', [`--net=/run/netns/${network.routerNamespace}`, 'nft', '-f', '-'], { input: allow });
}

export async function removeInternet(profile: Profile): Promise<string[]> {
  const removed: string[] = [];
  if ((await tryRun('nft', ['delete', 'table', 'inet', tableName(profile)])).exitCode === 0)
    removed.push(`nftables table ${tableName(profile)}`);
  const saved = savedForwarding(profile);
  if (existsSync(saved)) {
    writeFileSync(FORWARDING, readFileSync(saved, 'utf8'));
    rmSync(saved);
    removed.push('the host forwards packets');
  }
  return removed;
}

function hostRules(profile: Profile): string {
  const { hostLink, containerSubnet, linkSubnet } = profile.network;
  const table = `table inet ${tableName(profile)}`;
  return `
${table}
delete ${table}
${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr { ${containerSubnet}, ${linkSubnet} } oifname != "${hostLink.device}" oifname != "lo" masquerade
  }
}
`;
}

function tableName(profile: Profile): string {
  return `webspaces_lab_${profile.name}`;
}

function savedForwarding(profile: Profile): string {
  return join(profile.paths.state, 'host-ip-forward');
}
