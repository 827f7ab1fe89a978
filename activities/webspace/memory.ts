import type { ShortMember } from '#libs/contracts/memory-stop.js';
import { type Candidate, leastUsed, membersShortOfMemory } from '#libs/domain/memory.js';
import { isWebspaceName } from '#libs/domain/names.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { readInstance } from './observe.js';
import { rememberedUses } from './use-memory.js';

/** By this key of an instance the original spared it. */
const SPARED = 'user.oomSkip';

interface Running extends Candidate {
  readonly member: string;
  readonly owner: string;
}

/** The look for members whose memory is short, by their own word, and for what may be stopped on each. */
export function memorySteps({ lxd, kube, platform, memoryStop }: Pick<Deps, 'lxd' | 'kube' | 'platform' | 'memoryStop'>) {
  async function runningOnes(signal: AbortSignal): Promise<Running[]> {
    const [instances, uses, operations] = await Promise.all([
      lxd.instances.list({ signal }),
      rememberedUses(kube, signal),
      lxd.operations.running({}, { signal }),
    ]);
    const attended = new Set(operations.flatMap(({ instances: names }) => names));
    return instances.flatMap((instance) => {
      const { name, location: member, last_used_at, config } = instance;
      if (!isWebspaceName(platform.instancePrefix, name)) return [];
      const observed = readInstance(instance);
      if (observed.is !== 'present' || observed.phase !== 'running') return [];
      const { phase, deletedBy, policy, owner } = observed.record;
      const spared = phase !== 'ready' || deletedBy !== undefined || policy.alwaysOn || config[SPARED] === 'true';
      const usedAt = uses.get(name)?.usedAt ?? Date.parse(last_used_at);
      return [{ name, member, owner: owner.id, usedAt, attended: attended.has(name), spared }];
    });
  }

  return {
    async findShortOfMemory({ signal }: Call): Promise<readonly ShortMember[]> {
      if (!memoryStop.enabled) throw new PlatformError('INVALID_INPUT', 'The memory stop is off (memoryStop.enabled).');
      const now = Date.now();
      const short = membersShortOfMemory((await lxd.server({ signal })).config, now);
      if (short.length === 0) return [];
      const running = await runningOnes(signal);
      return short.map((member) => {
        const found = leastUsed(running.filter((one) => one.member === member));
        if (!found) return { member };
        const { name, owner, usedAt } = found;
        return { member, webspace: { name, owner, idleSeconds: Math.max(Math.floor((now - usedAt) / 1000), 0) } };
      });
    },
  };
}
