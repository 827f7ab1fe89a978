import { Resolver } from 'node:dns/promises';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DnsName, DnsNames } from './dns/answers.js';
import { filesBelow, hashFiles } from './hash.js';
import { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import { projectRoot } from './project.js';

export type { DnsName, DnsNames } from './dns/answers.js';

const HEALTH_NAME = 'health.lab';

/** The DNS server that the lab's worker asks about domains. It knows the names of its file and no others. */
export function dnsProcess(profile: Profile): LabProcess {
  const folder = join(projectRoot(), 'dist', 'lab', 'dns');
  const code = () => hashFiles(filesBelow(folder, (name) => name.endsWith('.js')));
  const args = [join(folder, 'main.js'), '127.0.0.1', String(profile.ports.dns), profile.paths.dnsNames];
  return new LabProcess(profile, {
    name: 'dns',
    spec: () => ({ command: process.execPath, args, cwd: projectRoot(), inputs: code() }),
    healthy: () => answers(profile),
    readyTimeoutMs: 10_000,
  });
}

/** That a name does not exist is an answer, too. */
async function answers(profile: Profile): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([dnsAddress(profile)]);
  const code = await resolver.resolve4(HEALTH_NAME).then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code,
  );
  return code === 'answered' || code === 'ENOTFOUND';
}

export function dnsAddress(profile: Profile): string {
  return `127.0.0.1:${profile.ports.dns}`;
}

/** What the lab's DNS server answers, for tests to change while it runs. Names are in lower case, without a trailing dot. */
export class LabDns {
  constructor(private readonly profile: Profile) {}

  /** `ip:port`, as the setting `dns.resolvers` takes it. */
  get address(): string {
    return dnsAddress(this.profile);
  }

  /** Adds or replaces names; `undefined` removes one, so that it does not exist. The next question is answered so. */
  set(names: Readonly<Record<string, DnsName | undefined>>): void {
    this.write(Object.fromEntries(Object.entries({ ...this.names(), ...names }).filter(([, name]) => name !== undefined)) as DnsNames);
  }

  /** No name exists any more. */
  clear(): void {
    this.write({});
  }

  names(): DnsNames {
    const file = this.profile.paths.dnsNames;
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DnsNames) : {};
  }

  private write(names: DnsNames): void {
    const file = this.profile.paths.dnsNames;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, `${JSON.stringify(names, null, 2)}\n`);
    renameSync(`${file}.new`, file);
  }
}
