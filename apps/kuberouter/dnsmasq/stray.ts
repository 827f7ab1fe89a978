import { setTimeout as delay } from 'node:timers/promises';
import { type DnsmasqFiles, readIfThere } from './files.js';

const PATIENCE_MS = 3_000;
const LOOK_MS = 10;

/** Ends the dnsmasq that a killed process of ours left behind: it would hold the ports. Another program with its pid is left alone. */
export async function endStray(files: DnsmasqFiles): Promise<void> {
  const pid = Number(readIfThere(files.pid) ?? 0);
  const ours = () => pid > 0 && (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0').includes(`--conf-file=${files.config}`);
  if (!ours()) return;
  process.kill(pid, 'SIGTERM');
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await delay(LOOK_MS)) if (!ours()) return;
  if (ours()) process.kill(pid, 'SIGKILL');
}
