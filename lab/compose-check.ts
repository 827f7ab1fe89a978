import { run, tryRun } from './exec.js';
import { projectRoot } from './project.js';

/** What accepted the file; containers are not started by this. */
export type ComposeChecker = 'docker compose' | 'docker-compose';

/** Checks docker-compose.yml with what is there, or with Debian's docker-compose, which is installed for it. Throws with its reasons. */
export async function checkComposeFile(): Promise<ComposeChecker> {
  const cwd = projectRoot();
  const plugin = await tryRun('docker', ['compose', 'version']).catch(() => undefined);
  if (plugin?.exitCode === 0) {
    await run('docker', ['compose', '-f', 'docker-compose.yml', 'config', '-q'], { cwd });
    return 'docker compose';
  }
  const installed = await tryRun('docker-compose', ['version']).catch(() => undefined);
  if (installed?.exitCode !== 0) await installDebianPackage();
  await run('docker-compose', ['-f', 'docker-compose.yml', 'config', '-q'], { cwd });
  return 'docker-compose';
}

async function installDebianPackage(): Promise<void> {
  const env = { ...(process.env as Record<string, string>), DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', 'docker-compose'];
  const first = await tryRun('apt-get', install, { env });
  if (first.exitCode === 0) return;
  await run('apt-get', ['update'], { env });
  await run('apt-get', install, { env });
}
