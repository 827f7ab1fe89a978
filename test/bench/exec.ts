import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { StreamClient } from '../support/stream-client.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { atLeastShare, type Line, type Report } from './results.js';
import type { Stage } from './stage.js';
import { summaryOf } from './statistics.js';

const BYTES = 100 * 1024 * 1024;
const LXC = '/usr/bin/lxc';
const MEGABYTE = 1024 * 1024;
const SHARE = 0.5;
/** Without translation of line ends, so that bytes can be counted. */
const COMMAND = ['sh', '-c', 'stty -opost; exec cat /root/large'];
/** LXD drops what it has not read when the command ends: `lxc exec` gets some time for it. */
const LINGERING = ['sh', '-c', 'stty -opost; cat /root/large; sleep 0.3'];
const LINGER_MS = 300;

/** 100 MB through a terminal: by the API's WebSocket, and by `lxc exec`, in turns. */
export async function benchExec(stage: Stage, options: Options, report: Report): Promise<void> {
  const member = stage.members.fresh();
  await stage.members.ended(await stage.members.create(member));
  await stage.members.ended(await stage.members.boot(member));
  const name = member.webspace;
  await stage.lab.lxc(['exec', name, '--', 'sh', '-c', `head -c ${BYTES} /dev/urandom > /root/large`]);
  const rates = { api: [] as number[], raw: [] as number[] };
  for (let i = -1; i < options.transfers; i++) {
    const raw = await rateOf(() => byLxc(stage, name), LINGER_MS);
    const api = await rateOf(() => byApi(stage, member));
    if (i < 0) continue;
    rates.raw.push(raw);
    rates.api.push(api);
  }
  await stage.members.delete(member);
  const raw = summaryOf(rates.raw);
  const api = summaryOf(rates.api);
  const line = (what: string, { median, count }: typeof raw): Line => ({ what, value: median, unit: 'MB/s', count });
  report('100 MB through a terminal, per second', [
    line('lxc exec', raw),
    { ...line('the exec WebSocket', api), ...atLeastShare({ value: api.median, raw: raw.median, share: SHARE }) },
  ]);
}

async function rateOf(transfer: () => Promise<number>, spentOtherwiseMs = 0): Promise<number> {
  const begun = performance.now();
  const bytes = await transfer();
  if (bytes !== BYTES) throw new Error(`${bytes} bytes arrived instead of ${BYTES}`);
  return bytes / MEGABYTE / ((performance.now() - begun - spentOtherwiseMs) / 1000);
}

async function byApi(stage: Stage, member: Member): Promise<number> {
  const headers = { authorization: `Bearer ${member.token}` };
  const client = await StreamClient.open(`${stage.lab.profile.urls.api}/v1/webspace/self/exec`, { headers });
  let bytes = 0;
  client.onData = (data) => {
    bytes += data.length;
  };
  client.say({ command: COMMAND, width: 80, height: 24 });
  const { code, reason } = await client.closed;
  if (code !== 1000 || reason !== '0') throw new Error(`exec ended with ${code} ${reason}`);
  return bytes;
}

async function byLxc(stage: Stage, name: string): Promise<number> {
  const env = { PATH: '/usr/bin:/bin', HOME: stage.lab.profile.paths.state, LXD_DIR: stage.lab.profile.paths.lxd };
  // Its input stays open: at its end LXD hangs the terminal up.
  const child = spawn(LXC, ['exec', '--force-interactive', name, '--', ...LINGERING], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let bytes = 0;
  child.stdout.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`lxc exec ended with ${code}`);
  return bytes;
}
