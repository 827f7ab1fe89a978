import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { startTestApi, type TestApi } from './test-api.js';

/** One API for all tests of a file: given to `use` before the first, as new again after each, closed after the last. */
export function shareTestApi(use: (api: TestApi) => void): void {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
    use(api);
  });
  afterEach(() => {
    const { lxd, operations, logLines } = api;
    lxd.instances.clear();
    lxd.images.length = 0;
    lxd.reads.length = 0;
    lxd.failure = undefined;
    operations.started.length = 0;
    operations.outcome = { result: {} };
    operations.failure = undefined;
    logLines.length = 0;
    api.identityFailure = undefined;
  });
  afterAll(() => api.app.close());
}
