import { join } from 'node:path';
import { CHART } from '#lab/chart/helm.js';

export const EXAMPLES = ['one-node', 'society', 'machines', 'many-nodes'] as const;
type Example = (typeof EXAMPLES)[number];

export const valuesOf = (example: Example) => join(CHART, 'examples', `${example}.yaml`);
