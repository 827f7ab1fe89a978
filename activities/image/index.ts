import type { ImageActivities } from '#libs/contracts/images.js';
import { guarded } from '../shared/guard.js';
import { cleanUpSteps } from './clean-up.js';
import { createSteps } from './create.js';
import { type ImageDeps, KnownListings } from './deps.js';
import { fetchSteps } from './fetch.js';
import { lockSteps } from './lock.js';
import { resolveSteps } from './resolve.js';
import { spaceSteps } from './space.js';
import { verifySteps } from './verify.js';
import { watchSteps } from './watch.js';

/** Every activity of imports, as the worker registers it. */
export function createImageActivities(deps: ImageDeps): ImageActivities {
  const listings = new KnownListings(deps.github);
  const lock = lockSteps(deps);
  const create = createSteps(deps);
  const cleanUp = cleanUpSteps(deps);
  const watch = watchSteps(deps, listings);
  return {
    takeImageLock: guarded(lock.takeImageLock),
    awaitImport: guarded(lock.awaitImport),
    resolveImport: guarded(resolveSteps(deps, listings).resolveImport),
    checkSpace: guarded(spaceSteps(deps).checkSpace),
    fetchImage: guarded(fetchSteps(deps).fetchImage),
    verifyImage: guarded(verifySteps(deps).verifyImage),
    createImage: guarded(create.createImage),
    moveAlias: guarded(create.moveAlias),
    removeOldVersions: guarded(create.removeOldVersions),
    finishImport: guarded(cleanUp.finishImport),
    abandonImport: guarded(cleanUp.abandonImport),
    checkSources: guarded(watch.checkSources),
    pruneImages: guarded(watch.pruneImages),
  };
}
