import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.js';

test('the dashboard shows every metric of the image server that there is, and none that there is not', async () => {
  const metrics = createMetrics();
  metrics.observe({ repositories: () => [], cacheBytes: () => ({}) });
  const exported = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name).filter((name) => name.startsWith('webspaces_'));
  const shown = readFileSync('deploy/grafana/octolxd.json', 'utf8').match(/webspaces_octolxd_\w+/g);
  expect([...new Set(shown)].sort()).toEqual(exported.sort());
});
