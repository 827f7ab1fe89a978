import { afterAll, beforeAll, describe } from '@jest/globals';
import { attachCases } from './contract/attach-cases.js';
import { eventCases } from './contract/event-cases.js';
import { fileCases } from './contract/file-cases.js';
import { type ContractTarget, Fixture } from './contract/fixture.js';
import { httpsCases } from './contract/https-cases.js';
import { imageCases } from './contract/image-cases.js';
import { instanceCases } from './contract/instance-cases.js';
import { stateCases } from './contract/state-cases.js';

export type { ContractTarget } from './contract/fixture.js';

/** What this client relies on in an LXD: the same cases for the double and for the real one. */
export function lxdContract(name: string, setup: () => Promise<ContractTarget>): void {
  describe(`LXD contract, ${name}`, () => {
    const fixture = new Fixture();
    beforeAll(async () => fixture.open(await setup()), 120_000);
    afterAll(() => fixture.close(), 120_000);
    instanceCases(fixture);
    stateCases(fixture);
    imageCases(fixture);
    fileCases(fixture);
    attachCases(fixture);
    eventCases(fixture);
    httpsCases(fixture);
  });
}
