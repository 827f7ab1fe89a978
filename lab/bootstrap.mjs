#!/usr/bin/env node
// Plain Node without any package: brings a fresh clone so far that the lab itself (TypeScript, built into dist/) can run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const startedAt = Date.now();
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [command = 'start', ...args] = process.argv.slice(2);

const PACKAGES = [
  ...['lxd', 'lxd-client', 'dnsmasq-base', 'nftables', 'squashfs-tools', 'xz-utils', 'busybox-static', 'btrfs-progs', 'uidmap'],
  ...['iproute2', 'procps', 'openssl', 'curl', 'conntrack', 'socat', 'nginx-light', 'jq', 'python3', 'python3-pip'],
  ...['iputils-ping', 'iputils-arping', 'wireguard-tools', 'wireguard-go'],
];
/** For real nodes; an ordinary lab has none. */
const NODE_PACKAGES = ['containerd', 'runc', 'containernetworking-plugins', 'lz4', 'cpio', 'kmod', 'iptables', 'ipset'];
const WITH_NODES = ['cluster', 'chart', 'test', 'test-full', 'bench', 'crash-matrix'];
/** These can be had without Debian's package. */
const PROVIDED = {
  'nginx-light': ['nginx', '-v'],
  'python3-pip': ['pip3', '--version'],
  python3: ['python3', '--version'],
  curl: ['curl', '--version'],
  jq: ['jq', '--version'],
};

function say(text) {
  console.log(`${`${((Date.now() - startedAt) / 1000).toFixed(1)} s`.padStart(8)}  · ${text}`);
}

function fail(text) {
  console.error(`\n${text}`);
  process.exit(1);
}

function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed; this is ${process.versions.node}.`);
  if (process.platform !== 'linux')
    fail('The lab needs Linux: LXD, network namespaces and cgroups. docker-compose.yml is for other machines.');
  if (process.getuid() !== 0) fail('The lab needs root, for namespaces and LXD: run the command as root.');
  const system = Object.fromEntries(
    (existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '')
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replaceAll('"', '')]),
  );
  if (system.ID === 'debian' && system.VERSION_ID === '12') return true;
  say(
    `This is ${system.PRETTY_NAME ?? 'an unknown system'}; tested on Debian 12 only. Untested here: the packages' names, LXD's version, the sandbox.`,
  );
  return existsSync('/usr/bin/apt-get');
}

function runs([program, ...programArgs]) {
  return spawnSync(program, programArgs, { stdio: 'ignore' }).status === 0;
}

function installPackages() {
  const wanted = [...PACKAGES, ...(WITH_NODES.includes(command) ? NODE_PACKAGES : [])];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own syntax
  const asked = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Abbrev}\n', ...wanted], { encoding: 'utf8' });
  const installed = new Set(
    asked.stdout
      .split('\n')
      .filter((line) => line.split(' ')[1]?.startsWith('ii'))
      .map((line) => line.split(' ')[0]),
  );
  const missing = wanted.filter((name) => !installed.has(name) && !(PROVIDED[name] && runs(PROVIDED[name])));
  if (missing.length === 0) return;
  say(`installing Debian packages: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], { env, encoding: 'utf8' });
  let result = install();
  if (result.status !== 0) {
    spawnSync('apt-get', ['update'], { env, stdio: 'ignore' });
    result = install();
  }
  if (missing.includes('nginx-light')) stopService('nginx.service');
  if (missing.includes('containerd')) stopService('containerd.service');
  if (result.status !== 0) fail(`apt-get could not install ${missing.join(' ')}:\n${result.stderr}${result.stdout.slice(-2000)}`);
  stopPackagedDaemons();
}

/** The packages start services of their own; the lab's LXD runs in its sandbox and needs none of them. */
function stopPackagedDaemons() {
  stopService('lxd.service', 'lxd.socket', 'lxd-containers.service');
}

function stopService(...names) {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', ...names], { stdio: 'ignore' });
}

function sha256(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** npm's own record of what is in node_modules against the lock file; packages of other platforms may be missing. */
function nodeModulesMatch() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages);
  return wanted.every(([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version);
}

function installNodeModules() {
  const stamp = join(root, 'node_modules', '.webspaces-stamp');
  const lockHash = () => sha256([readFileSync(join(root, 'package-lock.json'))]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash()) return;
  if (nodeModulesMatch()) {
    writeFileSync(stamp, lockHash());
    return;
  }
  say('installing npm packages');
  const options = ['--no-audit', '--no-fund', '--ignore-scripts'];
  const npm = (verb) => spawnSync('npm', [verb, ...options], { cwd: root, encoding: 'utf8' });
  const clean = npm('ci');
  if (clean.status !== 0) {
    say('npm ci failed (a registry may lack packages of other platforms), trying npm install');
    const result = npm('install');
    if (result.status !== 0) fail(`npm could not install the packages:\n${clean.stderr.slice(-1500)}\n${result.stderr.slice(-1500)}`);
  }
  writeFileSync(stamp, lockHash());
}

function sourceFiles(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|json)$/.test(entry.name) && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('/histories/'))
    .sort();
}

function sourceHash() {
  const files = [
    ...['apps', 'workflows', 'activities', 'libs', 'lab', 'test'].flatMap(sourceFiles),
    ...['package-lock.json', 'nest-cli.json', '.swcrc', 'tools/build.mjs'].map((name) => join(root, name)),
  ];
  return sha256(files.flatMap((file) => [file.slice(root.length), readFileSync(file)]));
}

function build() {
  const stamp = join(root, 'dist', '.webspaces-stamp');
  const fresh = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceHash();
  if (fresh()) return;
  const release = takeBuildLock();
  try {
    if (fresh()) return;
    say('building');
    const wanted = sourceHash();
    const result = spawnSync(process.execPath, ['tools/build.mjs'], { cwd: root, encoding: 'utf8' });
    if (result.status !== 0) fail(`the build failed:\n${result.stdout.slice(-3000)}${result.stderr.slice(-3000)}`);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, wanted);
  } finally {
    release();
  }
}

/** Two commands at once must not write dist/ both; a lock whose owner has ended is taken over. */
function takeBuildLock() {
  const lock = join(root, 'node_modules', '.webspaces-build-lock');
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      process.on('exit', () => rmSync(lock, { force: true }));
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = existsSync(lock) ? readFileSync(lock, 'utf8') : '';
    if (owner && !existsSync(`/proc/${owner}`)) rmSync(lock, { force: true });
    else Atomics.wait(pause, 0, 0, 200);
  }
}

/** What only looks or removes takes the code that is there: it must also work in the middle of an edit. */
function needsNothingNew() {
  return (
    ['down', 'status', 'logs'].includes(command) &&
    existsSync(join(root, 'dist', 'lab', 'main.js')) &&
    existsSync(join(root, 'node_modules'))
  );
}

const debian = checkMachine();
if (!needsNothingNew()) {
  if (debian) installPackages();
  installNodeModules();
  build();
}
const { main } = await import(pathToFileURL(join(root, 'dist', 'lab', 'main.js')).href);
process.exitCode = await main([command, ...args], startedAt);
