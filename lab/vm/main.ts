import { guestFolder } from './guest.js';
import { qemuFolder } from './qemu.js';

const say = (text: string) => process.stderr.write(`${text}\n`);
process.stdout.write(`guest ${await guestFolder(say)}\nqemu ${await qemuFolder(say)}\n`);
