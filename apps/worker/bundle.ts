import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Build step: one file with every workflow, so that a worker starts without a bundler. Run from dist. */
const workflowsPath = fileURLToPath(new URL('../../workflows/index.js', import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
writeFileSync(new URL('../../workflows/bundle.cjs', import.meta.url), code);
