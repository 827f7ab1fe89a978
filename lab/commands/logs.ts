import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse, profileArgument, UsageError } from '../arguments.js';

/** `npm run logs [-- part] [-f]`: the last lines of one part or of all, or what they write from now on. */
export async function logs(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    follow: { type: 'boolean', short: 'f' },
    lines: { type: 'string', short: 'n' },
    profile: { type: 'string' },
  });
  const profile = profileArgument(values.profile);
  const parts = existsSync(profile.paths.logs)
    ? readdirSync(profile.paths.logs)
        .filter((name) => name.endsWith('.log'))
        .map((name) => name.slice(0, -'.log'.length))
        .sort()
    : [];
  const unknown = positionals.filter((part) => !parts.includes(part));
  if (unknown.length > 0 || parts.length === 0)
    throw new UsageError(`no log of ${unknown.join(', ') || 'any part'}; there are: ${parts.join(', ') || 'none'}`);
  const chosen = positionals.length > 0 ? positionals : parts;
  const lines = String(values.lines ?? (positionals.length > 0 ? 200 : 10));
  const files = chosen.map((part) => join(profile.paths.logs, `${part}.log`));
  return tail([...(values.follow ? ['-F'] : []), '-n', lines, ...files]);
}

function tail(args: readonly string[]): Promise<number> {
  const child = spawn('tail', [...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 0));
  });
}
