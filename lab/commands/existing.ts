import { existsSync, mkdirSync } from 'node:fs';
import { apiProcess, type Settings, type Targets, workerProcess, writeAppFiles } from '../apps.js';
import { UsageError } from '../arguments.js';
import { writeLabFile } from '../lab-file.js';
import { withLock } from '../lock.js';
import type { Profile } from '../profile.js';
import { bold, cyan, dim, type Progress, seconds } from '../progress.js';
import { makeSampleWebspace, writeTokens } from '../sample.js';

interface ExistingOptions {
  readonly sample: boolean;
  readonly progress: Progress;
  readonly startedAt: number;
}

/** `npm start -- --use-existing`: only our processes, on systems that are there already and stay. */
export async function startOnExisting(profile: Profile, { sample, progress, startedAt }: ExistingOptions): Promise<number> {
  const { targets, shown } = existingTargets(process.env);
  const settings = platformSettings(process.env);
  console.log(`\n${bold('Using what exists:')}`);
  for (const [name, value] of Object.entries(shown)) console.log(`  ${bold(name.padEnd(14))}${cyan(value)}`);
  console.log(sample ? '' : dim('\n  No sample webspace is made; ask for one with --sample.\n'));
  await withLock(profile, async () => {
    mkdirSync(profile.paths.state, { recursive: true, mode: 0o711 });
    writeLabFile(profile, { mode: 'existing', apps: 'all', temporalInMemory: false, internet: false, targets: shown });
    writeAppFiles(profile, targets);
    await progress.step('worker', () => workerProcess(profile, settings).ensure());
    await progress.step('API', () => apiProcess(profile, ofTheApi(settings)).ensure());
  });
  if (sample) await progress.step("alice's webspace through the API", () => makeSampleWebspace(profile));
  writeTokens(profile);
  console.log(
    `\n${bold('Running')} ${dim(`(${seconds(Date.now() - startedAt)})`)}: API ${cyan(profile.urls.api)}, Swagger UI ${cyan(profile.urls.swagger)}`,
  );
  console.log(
    `Tokens of the sample users: ${profile.paths.tokens}/ · stop with npm run down, which leaves the three systems as they are\n`,
  );
  return 0;
}

/** The platform of an existing installation differs (domain, network, addresses): `WEBSPACES__PLATFORM__…` says how. */
function platformSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const ours = Object.entries(env).filter(([name, value]) => name.startsWith('WEBSPACES__') && value !== undefined);
  return Object.fromEntries(ours) as Record<string, string>;
}

/** The API asks Kubernetes nothing, and refuses settings of it. */
function ofTheApi(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !name.startsWith('WEBSPACES__KUBERNETES__')));
}

/** The three targets from the environment; every missing one is named at once. */
export function existingTargets(env: NodeJS.ProcessEnv): { targets: Targets; shown: Record<string, string> } {
  const problems: string[] = [];
  const need = (name: string): string => {
    const value = env[name];
    if (!value) problems.push(`${name} is not set`);
    return value ?? '';
  };
  const needFile = (name: string): string => {
    const file = need(name);
    if (file && !existsSync(file)) problems.push(`${name} names ${file}, which does not exist`);
    return file;
  };
  const kubeconfig = needFile('KUBECONFIG');
  const address = need('TEMPORAL_ADDRESS');
  if (!env['LXD_URL'] && !env['LXD_SOCKET']) problems.push('neither LXD_SOCKET nor LXD_URL is set');
  const lxd: Targets['lxd'] = env['LXD_URL']
    ? {
        url: env['LXD_URL'],
        clientCertFile: needFile('LXD_CLIENT_CERT'),
        clientKeyFile: needFile('LXD_CLIENT_KEY'),
        serverCertFile: needFile('LXD_SERVER_CERT'),
      }
    : { socket: env['LXD_SOCKET'] ? needFile('LXD_SOCKET') : '' };
  if (problems.length > 0) throw new UsageError(`--use-existing: ${problems.join('; ')}`);
  return {
    targets: {
      lxd,
      kubeconfigs: { worker: kubeconfig, gateway: kubeconfig },
      temporal: { address, uiUrl: env['TEMPORAL_UI_URL'] ?? 'http://127.0.0.1:8080' },
    },
    shown: { Kubernetes: `KUBECONFIG=${kubeconfig}`, LXD: 'url' in lxd ? lxd.url : lxd.socket, Temporal: address },
  };
}
