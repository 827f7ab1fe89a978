import type { Acting } from '#libs/contracts/activities.js';
import type { ScaleGateWatch } from '#libs/contracts/scalings.js';
import type { GateReading } from '#libs/contracts/upgrade-activities.js';
import { readScaleGate } from '#libs/domain/scale/gates.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from '../upgrade/deps.js';
import { tableOf } from '../upgrade/table.js';
import { watchUntil } from '../upgrade/watch-gate.js';
import { observeScale } from './observe-scale.js';

export function watchScaleSteps(deps: UpgradeDeps) {
  return {
    async watchScaleGate(call: Call, { operationId }: Acting, cluster: string, watch: ScaleGateWatch): Promise<GateReading> {
      const { config, remembered } = deps.clusters.get(cluster);
      return watchUntil(call, { ...watch, name: watch.call.gate, pollMs: config.pollSeconds * 1000 }, async () => {
        const { observed, known } = await observeScale(deps, { cluster, operationId, signal: call.signal });
        if (known) await remembered.keepMembers(known, call.signal);
        return { outcome: readScaleGate(watch.call, observed, watch.stuckSeconds), table: tableOf(observed.cluster) };
      });
    },
  };
}
