import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Macs, OUTSIDE } from './command-line.js';

export interface Settings {
  readonly member: string;
  readonly domain: string;
  readonly macs: Macs;
  readonly disk: 'new' | 'used';
  /** Who begins with it at the relay is this pod. */
  readonly word: string;
  readonly lan?: { readonly bridge: string; readonly mtu: number } | undefined;
}

/** What the guest takes as shell variables. */
export function settingsText({ member, domain, macs, disk, word, lan }: Settings): string {
  return assignments({
    MEMBER: member,
    DOMAIN: domain,
    OUTSIDE_MAC: macs.outside,
    ADDRESS: OUTSIDE.address,
    GATEWAY: OUTSIDE.gateway,
    RESOLVER: OUTSIDE.resolver,
    LAN_MAC: macs.lan,
    LAN_BRIDGE: lan?.bridge ?? '',
    LAN_MTU: String(lan?.mtu ?? ''),
    DISK: disk,
    WORD: word,
  });
}

/** One line each, quoted for a shell: whatever is in a value, it is a value. */
export function assignments(values: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(values).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && /^[A-Z_][A-Z0-9_]*$/.test(entry[0]),
  );
  return lines.map(([name, value]) => `${name}='${value.replaceAll("'", "'\\''")}'\n`).join('');
}

/** Files for QEMU's fw_cfg, which nobody else may read; by the name in the guest. */
export function writeHanded(folder: string, texts: Readonly<Record<string, string>>): Record<string, string> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const file = join(folder, name);
      rmSync(file, { force: true });
      // An empty file is none for QEMU.
      writeFileSync(file, text === '' ? '\n' : text, { mode: 0o600, flag: 'wx' });
      return [name, file];
    }),
  );
}
