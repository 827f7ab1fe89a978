import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { apiConfigSchema } from './api.js';
import { readConfig } from './load.js';
import { ConfigError } from './problems.js';
import { dnsSchema } from './schemas.js';
import { readSecretFile } from './secret-file.js';
import { workerConfigSchema } from './worker.js';

let folder: string;
let secret: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
  secret = join(folder, 'secret');
  writeFileSync(secret, 'quite secret \n\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const sample = () => ({
  publicUrl: 'http://127.0.0.1:8080',
  platform: { baseDomain: 'ws.example.org', addressRange: { from: '10.77.1.0', to: '10.77.200.255' }, defaultTlsSecret: 'tls-main' },
  lxd: { socket: '/run/lxd.socket' },
  temporal: { address: '127.0.0.1:7233', uiUrl: 'http://127.0.0.1:8233' },
  identity: { adapter: 'local', local: { keyFile: secret, usersFile: secret } },
  sealing: { keyFile: secret },
});

function read(content: unknown, argv: string[] = [], env: Record<string, string> = {}) {
  const path = join(folder, 'api.yaml');
  writeFileSync(path, stringify(content));
  const answer = readConfig({ name: 'api', schema: apiConfigSchema, argv: ['--config', path, ...argv], env });
  if (answer.kind !== 'config') throw new Error(answer.text);
  return answer.config;
}

function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => `${problem.path}: ${problem.message}`);
    throw error;
  }
  throw new Error('no problem was found');
}

describe('reading a configuration', () => {
  test('fills in the defaults', () => {
    const config = read(sample());
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      log: { level: 'info' },
      platform: { instancePrefix: 'ws-', profiles: ['default'], publicPort: 443, defaults: { httpPort: 80, startupDelaySeconds: 3 } },
      limits: { waitSeconds: 60 },
      cors: { allowedOrigins: [] },
    });
  });

  test.each(['192.0.2.53', '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:53'])('takes %s as a resolver', (resolver) => {
    expect(dnsSchema.parse({ resolvers: [resolver] }).resolvers).toEqual([resolver]);
  });

  test.each(['dns.example.org', '192.0.2', '192.0.2.53:70000', '[192.0.2.53]:53', '[2001:db8::53]', ''])(
    'refuses %j as a resolver',
    (resolver) => {
      expect(dnsSchema.safeParse({ resolvers: [resolver] }).error?.issues[0]?.message).toContain('must be an IP address');
    },
  );

  test('lets the environment win over the file, and flags over both', () => {
    const env = { WEBSPACES__LOG__LEVEL: 'warn', WEBSPACES__PLATFORM__BASE_DOMAIN: 'env.example.org', WEBSPACES__LISTEN: '[::]:99' };
    const config = read({ ...sample(), log: { level: 'error' } }, ['--log.level=debug', '--limits.waitSeconds', '5'], env);
    expect(config.log.level).toBe('debug');
    expect(config.platform.baseDomain).toBe('env.example.org');
    expect(config.listen).toEqual({ host: '::', port: 99 });
    expect(config.limits.waitSeconds).toBe(5);
  });

  test('reads lists, booleans and texts that look like numbers from flags', () => {
    const config = read(sample(), ['--platform.profiles', 'a, b', '--sealing.groupReadable', 'true', '--platform.defaultTlsSecret', '123']);
    expect(config.platform.profiles).toEqual(['a', 'b']);
    expect(config.sealing.groupReadable).toBe(true);
    expect(config.platform.defaultTlsSecret).toBe('123');
  });

  test('reports every problem at once, unknown keys of every source included', () => {
    const content = { ...sample(), listen: 'nonsense', extra: 1, platform: { ...sample().platform, baseDomain: 'UPPER', colour: 'red' } };
    const problems = problemsOf(() => read(content, ['--no.such', '1'], { WEBSPACES__NO_SUCH: '1' }));
    for (const path of ['--no.such', 'WEBSPACES__NO_SUCH', 'listen', 'extra', 'platform.baseDomain', 'platform.colour']) {
      expect(problems.map((problem) => problem.split(':')[0])).toContain(path);
    }
  });

  test('refuses a section `kubernetes` of the API by its name, wherever it stands', () => {
    const content = { ...sample(), kubernetes: { namespace: 'webspaces' } };
    const problems = problemsOf(() => read(content, ['--kubernetes.namespace', 'x'], { WEBSPACES__KUBERNETES__KUBECONFIG: '/k' }));
    expect(problems).toHaveLength(3);
    expect(problems).toContain('kubernetes: is not a known setting');
    for (const name of ['--kubernetes.namespace', 'WEBSPACES__KUBERNETES__KUBECONFIG'])
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${name}: `)));
  });

  test('ignores the variables that Kubernetes sets for a Service called webspaces-gateway', () => {
    expect(read(sample(), [], { WEBSPACES_GATEWAY_SERVICE_HOST: '10.0.0.1' }).log.level).toBe('info');
  });

  test('names the missing setting of the alternative that was meant', () => {
    const { identity: _identity, ...rest } = sample();
    expect(problemsOf(() => read({ ...rest, lxd: { socket: '/s', colour: 1 }, identity: { adapter: 'iam' } }))).toEqual(
      expect.arrayContaining(['lxd.colour: is not a known setting', 'identity.iam: is required']),
    );
  });

  test('reports a secret file that cannot be read', () => {
    const content = { ...sample(), sealing: { keyFile: join(folder, 'absent') } };
    expect(problemsOf(() => read(content))).toEqual([expect.stringMatching(/^sealing\.keyFile: cannot read .*ENOENT$/)]);
  });

  test('refuses an address range that runs backwards', () => {
    const content = { ...sample(), platform: { ...sample().platform, addressRange: { from: '10.0.0.9', to: '10.0.0.1' } } };
    expect(problemsOf(() => read(content))).toEqual(['platform.addressRange.to: must not be below `from`']);
  });

  test('gives a result that cannot be changed', () => {
    const config = read(sample());
    expect(() => Object.assign(config.platform.defaults, { httpPort: 1 })).toThrow(TypeError);
  });

  test('prints help with every setting, and the configuration without credentials in it', () => {
    const help = readConfig({ name: 'worker', schema: workerConfigSchema, argv: ['--help'], env: {} });
    expect(help).toMatchObject({ text: expect.stringContaining('WEBSPACES__SWEEP__INTERVAL_SECONDS') });
    const path = join(folder, 'print.yaml');
    writeFileSync(path, stringify({ ...sample(), publicUrl: 'http://me:hunter2@127.0.0.1:1' }));
    const printed = readConfig({ name: 'api', schema: apiConfigSchema, argv: ['--config', path, '--print-config'], env: {} });
    expect(printed).toMatchObject({ text: expect.not.stringContaining('hunter2') });
  });
});

test('a secret file is read without its trailing white space', () => {
  expect(readSecretFile(secret)).toBe('quite secret');
});
