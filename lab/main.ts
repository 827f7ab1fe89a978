import { createProfile, profileNamed } from './profile.js';
import { progressOnTerminal } from './progress.js';
import { Stack } from './stack.js';
import { resolveTools } from './tools/resolve.js';

const progress = progressOnTerminal(Date.now());
const tools = (await progress.step('tools', () => resolveTools({ onInstall: (what) => progress.note(what) }))) as never;
await new Stack(profileNamed('dev'), tools, { apps: 'none' }).up(progress);
void createProfile;
