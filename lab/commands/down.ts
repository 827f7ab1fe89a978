import { rmSync } from 'node:fs';
import { parse, profileArgument } from '../arguments.js';
import { withLock } from '../lock.js';
import { PROFILES, type Profile, type ProfileName, profileNamed } from '../profile.js';
import { green, red, seconds } from '../progress.js';
import { removeLab } from '../removal.js';
import { cacheFolder } from '../tools/cache.js';

/** `npm run down`: the lab of `npm start`; `--all`: also those of tests and measurements, and the cache of tools. */
export async function down(args: readonly string[], startedAt: number): Promise<number> {
  const { values } = parse(args, { all: { type: 'boolean' }, profile: { type: 'string' } });
  const profiles = values.all ? allProfiles() : [profileArgument(values.profile)];
  let left = 0;
  for (const profile of profiles) left += await removeOne(profile);
  if (values.all) {
    rmSync(cacheFolder(), { recursive: true, force: true });
    console.log(`removed  folder ${cacheFolder()}`);
  }
  console.log(left === 0 ? green(`Nothing is left (${seconds(Date.now() - startedAt)}).`) : red(`${left} things are left, see above.`));
  return left === 0 ? 0 : 1;
}

function allProfiles(): Profile[] {
  return (Object.keys(PROFILES) as ProfileName[]).map(profileNamed);
}

async function removeOne(profile: Profile): Promise<number> {
  const { removed, left } = await withLock(profile, () => removeLab(profile));
  for (const what of removed) console.log(`removed  ${what}`);
  for (const what of left) console.error(red(`left     ${what}`));
  if (removed.length === 0 && left.length === 0) console.log(`lab "${profile.name}" was not there`);
  return left.length;
}
