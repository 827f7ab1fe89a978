import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { probeMachine } from './probe.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'probe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** In QEMU's place. */
function probe(script: string, accelerator: 'kvm' | 'tcg' = 'kvm'): Promise<void> {
  const qemu = join(folder, 'qemu');
  writeFileSync(qemu, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return probeMachine({ qemu, guest: '/guest', seconds: 0.3, accelerator, machine: 'microvm' });
}

describe('an accelerator', () => {
  test('is good when a machine says by it that it runs', async () => {
    await probe('echo "lxd8s: the probe runs"');
  });

  test('whose machine stands still is refused after the time limit, and the way out is said', async () => {
    const begun = Date.now();
    await expect(probe('exec sleep 30')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(
        /by kvm does not run here: it has not run within 0.3 s\. Give the pod \/dev\/kvm .* accelerator tcg\.$/,
      ),
    });
    expect(Date.now() - begun).toBeLessThan(5_000);
  });

  test('that QEMU refuses is refused in its words', async () => {
    await expect(probe('echo "Could not access KVM kernel module: No such file" >&2; exit 1')).rejects.toMatchObject({
      message: expect.stringContaining('Could not access KVM kernel module: No such file.'),
    });
  });

  test('whose machine ends in silence is refused', async () => {
    await expect(probe('exit 0', 'tcg')).rejects.toMatchObject({ message: expect.stringContaining('it has ended and said nothing') });
  });

  test('without QEMU is refused', async () => {
    const missing = { qemu: join(folder, 'none'), guest: '/guest', seconds: 1, accelerator: 'tcg', machine: 'q35' } as const;
    await expect(probeMachine(missing)).rejects.toMatchObject({ message: expect.stringContaining('ENOENT') });
  });
});
