import { cpSync } from 'node:fs';
import { guestFolder } from './guest.js';
import { qemuFolder } from './qemu.js';

const say = (text: string) => process.stderr.write(`${text}\n`);
const [option, target] = process.argv.slice(2);
// For a container file: into that folder, beside Debian's own QEMU.
if (option === '--guest' && target !== undefined) cpSync(await guestFolder(say), target, { recursive: true });
else process.stdout.write(`guest ${await guestFolder(say)}\nqemu ${await qemuFolder(say)}\n`);
