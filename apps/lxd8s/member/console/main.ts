import { loadConfig } from '#libs/config/load.js';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { socketsIn } from '../runtime/vm/command-line.js';
import { containerConsole } from './container-console.js';
import { machineConsole } from './machine-console.js';
import { readPasswordHash } from './password.js';

/** `lxd8s console`, run in the pod of a member: a login where its LXD runs. */
const config = loadConfig({ name: 'lxd8s console', schema: lxd8sMemberConfigSchema, argv: process.argv.slice(2), env: process.env });
try {
  const hash = readPasswordHash(config.console?.passwordFile);
  const [sockets, terminal] = [socketsIn(config.vm.runFolder), process.env['TERM']];
  process.exitCode =
    config.runtime === 'container'
      ? await containerConsole(hash)
      : await machineConsole({ sockets, hash, terminal, input: process.stdin, output: process.stdout });
} catch (error) {
  if (!isPlatformError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
// What waits for more from standard input keeps nobody.
process.exit();
