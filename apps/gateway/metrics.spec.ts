import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.js';
import { createPortsMetrics } from './ports/metrics.js';

test('the dashboard shows every metric of the gateway that there is, and none that there is not', async () => {
  const metrics = createMetrics();
  metrics.waiters(() => 0);
  const none = () => 0;
  createPortsMetrics(metrics.registry, {
    ...{ active: () => false, kernelEntries: none, listeners: none, listenersLimit: none, withoutListener: none, streams: none },
  });
  const exported = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name).filter((name) => name.startsWith('webspaces_'));
  const dashboard = readFileSync('deploy/grafana/gateway.json', 'utf8');
  const shown = [...dashboard.matchAll(/webspaces_gateway_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''));
  expect([...new Set(shown)].sort()).toEqual(exported.sort());
});
