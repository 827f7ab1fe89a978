import { describe, expect, test } from '@jest/globals';
import { templateEdits } from '#libs/gitops/template-edits.js';
import { editYaml } from '#libs/gitops/yaml-edits.js';
import { BUMP, DEFAULTS, type StatefulSetOptions } from '../cluster/manifests.js';
import { Follower } from './follower.js';
import { FLUX, firstRelease, wantedBy } from './repository.js';

const FIRST_RELEASE = firstRelease('exec');
const SETTINGS = { ...FLUX, merge: 'person' as const };

function following(text: string) {
  const world = { text: text as string | undefined, suspended: false, fails: false, applied: [] as StatefulSetOptions[] };
  const follower = new Follower({
    read: async () => world.text,
    apply: async (wanted) => {
      if (world.fails) throw new Error('away');
      world.applied.push(wanted);
    },
    isSuspended: () => world.suspended,
  });
  return { world, follower };
}

describe('what plays Flux', () => {
  test('applies each change of the file once, and goes back with it', async () => {
    const { world, follower } = following(FIRST_RELEASE);
    expect([await follower.step(), await follower.step()]).toEqual(['applied', 'unchanged']);
    const build = { image: 'lxd:next', environment: { [BUMP]: '2' } };
    world.text = editYaml(FLUX.file, FIRST_RELEASE, templateEdits(SETTINGS, FIRST_RELEASE, { build, probes: [] }));
    expect([await follower.step(), await follower.step()]).toEqual(['applied', 'unchanged']);
    world.text = FIRST_RELEASE;
    await follower.step();
    const first = { image: DEFAULTS.image, environment: DEFAULTS.environment, probes: DEFAULTS.probes };
    expect(world.applied).toEqual([first, { ...build, probes: 'none' }, first]);
  });

  test('follows nothing while it is suspended, and what is there afterwards', async () => {
    const { world, follower } = following(FIRST_RELEASE);
    world.suspended = true;
    expect([await follower.step(), world.applied]).toEqual(['suspended', []]);
    world.suspended = false;
    expect(await follower.step()).toBe('applied');
  });

  test('tries again what could not be applied, and refuses what the chart would not take', async () => {
    const { world, follower } = following(FIRST_RELEASE);
    world.fails = true;
    await expect(follower.step()).rejects.toThrow('away');
    world.fails = false;
    expect(await follower.step()).toBe('applied');
    world.text = FIRST_RELEASE.replace('enableProbes: true', 'enableProbes: perhaps');
    await expect(follower.step()).rejects.toThrow(/enableProbes/);
    world.text = undefined;
    expect([await follower.step(), world.applied.length]).toEqual(['no-file', 1]);
  });

  test('a variable that a build has not is none in the pod', () => {
    const text = editYaml(
      FLUX.file,
      FIRST_RELEASE,
      templateEdits(SETTINGS, FIRST_RELEASE, { build: { image: 'x', environment: {} }, probes: ['startup'] }),
    );
    expect(wantedBy(text)).toEqual({ image: 'x', environment: {}, probes: DEFAULTS.probes });
  });
});
