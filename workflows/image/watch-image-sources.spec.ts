import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolveTool } from '#lab/tools/resolve.js';
import type { FoundVersion, WatchImageSourcesResult } from '#libs/contracts/images.js';
import { failing, WorkflowRig } from '#libs/testing/workflow-rig.js';

jest.setTimeout(60_000);
let rig: WorkflowRig;
beforeAll(async () => {
  rig = await WorkflowRig.start(await resolveTool('temporal'));
}, 120_000);
afterAll(() => rig.stop());

const found = (operationId: string): FoundVersion => ({
  source: 'github:netsoc/images/hello',
  version: '1.0.1',
  input: {
    name: 'image-0123456789abcdef',
    operationId,
    requestedBy: { subject: 'image-sources', username: 'image sources' },
    alias: 'hello',
    source: { kind: 'github', owner: 'netsoc', repository: 'images', image: 'hello', version: '1.0.1' },
  },
});

describe('watchImageSources', () => {
  test('begins an import for a new version once, and again only when it failed', async () => {
    const checkSources = async () => ({ checked: 1, found: [found('watch-a')], problems: ['one is away'] });
    const workflowId = 'import:image-0123456789abcdef:watch-a';
    const look = (fetchImage: () => Promise<never> | Promise<{ files: []; fingerprint: string; transferredBytes: number }>) =>
      new Promise<WatchImageSourcesResult>((resolve, reject) => {
        rig
          .run<WatchImageSourcesResult>(
            'watchImageSources',
            {},
            { checkSources, fetchImage, pruneImages: async () => ['f'] },
            async (run) => {
              resolve(await run.result());
              await run.client.workflow
                .getHandle(workflowId)
                .result()
                .catch(() => 'one that fails is wanted, too');
            },
          )
          .catch(reject);
      });
    const fetched = async () => ({ files: [] as [], fingerprint: 'f'.repeat(64), transferredBytes: 0 });
    const first = await look(failing('PROTOCOL'));
    expect(first).toEqual({ checked: 1, begun: [workflowId], known: 0, pruned: ['f'], problems: ['one is away'] });
    expect(await look(fetched)).toMatchObject({ begun: [workflowId] });
    expect(await look(fetched)).toMatchObject({ begun: [], known: 1 });
  });

  test('a look that a webhook asks for names the repository, and prunes nothing', async () => {
    const seen: unknown[] = [];
    const checkSources = async (input: unknown) => {
      seen.push(input);
      return { checked: 1, found: [], problems: [] };
    };
    await rig.run('watchImageSources', { repository: 'netsoc/images' }, { checkSources }, async ({ result, calls }) => {
      expect(await result()).toEqual({ checked: 1, begun: [], known: 0, pruned: [], problems: [] });
      expect(seen).toEqual([{ repository: 'netsoc/images' }]);
      expect(calls).toEqual(['checkSources']);
    });
  });
});
