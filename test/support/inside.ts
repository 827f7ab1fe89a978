import type { Lab } from '#lab/harness.js';
import { createLxdClient } from '#libs/lxd/create-client.js';

const PROMPT_MS = 15_000;
const ECHOED = 'IN-$((40+2))';
const SAID = 'IN-42';

/** What a login at a terminal of the container comes to: `login` of the image asks for root's password, and the shell behind it answers. */
export async function loginInside(lab: Lab, instance: string, password: string): Promise<'in' | 'refused'> {
  const lxd = createLxdClient({ socket: lab.lxdSocket });
  const session = await lxd.exec.open(instance, { command: ['login', 'root'], terminal: { width: 200, height: 25 } });
  const timer = setTimeout(() => session.kill(), PROMPT_MS);
  let said = '';
  try {
    for await (const chunk of session.stdout) {
      const before = said;
      said += String(chunk);
      const now = (text: string) => !before.includes(text) && said.includes(text);
      if (now('Password:')) session.stdin.write(`${password}\n`);
      if (now('~ #')) session.stdin.write(`echo ${ECHOED}\n`);
      if (said.includes(SAID)) return 'in';
      if (/incorrect/i.test(said)) return 'refused';
    }
    throw new Error(`login said neither yes nor no: ${JSON.stringify(said)}`);
  } finally {
    clearTimeout(timer);
    session.kill();
    await session.exitCode.catch(() => undefined);
    await lxd.close();
  }
}
