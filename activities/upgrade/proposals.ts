import type { Acting } from '#libs/contracts/activities.js';
import type { GateReading, GateWatch, OfPlan, Proposal, TemplateChange } from '#libs/contracts/upgrade-activities.js';
import type { UpgradePlan } from '#libs/domain/upgrade/plan.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { TemplateWay } from '#libs/gitops/types.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';
import { ASK_MS, unread } from './merged-change.js';
import { prepareForMerge } from './template.js';
import { type Look, watchUntil } from './watch-gate.js';

/** The template by pull request. */
export function proposalSteps({ clusters, locks }: UpgradeDeps) {
  function wayOf(name: string): TemplateWay {
    const { way } = clusters.get(name);
    if (way) return way;
    throw new PlatformError('INVALID_INPUT', `The template of ${name} is not changed by pull requests. See \`clusters[].way\`.`, {
      details: { field: 'clusters' },
    });
  }

  return {
    async proposeTemplate(call: Call, acting: Acting, plan: UpgradePlan, change: TemplateChange, stepId: string): Promise<Proposal> {
      const way = wayOf(plan.cluster);
      await locks.assertHeld(acting, call.me, call.signal);
      await prepareForMerge(clusters.get(plan.cluster), change, call.signal);
      const { build, probes } = change;
      return way.apply({ plan, stepId, operationId: acting.operationId, build, probes }, call.signal);
    },

    async watchProposal(
      call: Call,
      acting: Acting,
      { cluster }: OfPlan,
      proposal: Proposal,
      watch: Omit<GateWatch, 'call' | 'aim' | 'proposal'>,
    ): Promise<GateReading> {
      const way = wayOf(cluster);
      await locks.assertHeld(acting, call.me, call.signal);
      const look = async (): Promise<Look> => {
        try {
          return { outcome: await way.read(proposal, { signal: call.signal }), table: [] };
        } catch (error) {
          if (!isPlatformError(error) || call.signal.aborted) throw error;
          return { outcome: unread(error.message), table: [] };
        }
      };
      return watchUntil(call, { ...watch, name: 'change-merged', pollMs: ASK_MS }, look);
    },

    async withdrawProposal(call: Call, _acting: Acting, { cluster }: OfPlan, proposal: Proposal): Promise<void> {
      await wayOf(cluster).withdraw(proposal, call.signal);
    },
  };
}
