import { setTimeout as pause } from 'node:timers/promises';
import type { Acting } from '#libs/contracts/activities.js';
import type { GateReading, GateWatch } from '#libs/contracts/upgrade-activities.js';
import type { MemberRow } from '#libs/contracts/upgrades.js';
import { failed, passed, waiting } from '#libs/domain/upgrade/gate-outcomes.js';
import { type GateCall, type GateOutcome, readGate } from '#libs/domain/upgrade/gates.js';
import { secondsText } from '#libs/domain/upgrade/wording.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import { settleAll } from '../shared/settle-all.js';
import type { UpgradeDeps } from './deps.js';
import { MergedChange } from './merged-change.js';
import { observe } from './observe.js';
import { noteReplacing } from './replacing.js';
import { stillStarting } from './still-starting.js';
import { tableOf } from './table.js';
import { measureWrites, writesText } from './write-latency.js';

export interface Look {
  readonly outcome: GateOutcome;
  readonly table: readonly MemberRow[];
  /** Of the gates that follow. */
  readonly also?: readonly GateOutcome[];
  /** `none` of a look that costs the cluster next to nothing; after others it is left alone for as long as the look took, at least. */
  readonly rest?: 'none';
}

/** While some members start and only they are asked, all are looked at as often at least. */
const LOOK_AT_ALL_MS = 5_000;

type Watch = Omit<GateWatch, 'call' | 'aim' | 'proposal' | 'also'>;

export function watchSteps(deps: UpgradeDeps) {
  return {
    async watchGate(call: Call, acting: Acting, cluster: string, watch: GateWatch): Promise<GateReading> {
      const { remembered, config, way, kube } = deps.clusters.get(cluster);
      const { operationId } = acting;
      const { proposal } = watch;
      const withRepository = ({ gate }: GateCall) => (way && proposal ? new MergedChange({ way, proposal }, gate) : undefined);
      const merged = withRepository(watch.call);
      const pods = new Map<string, string>();
      const lookAtAll = async (): Promise<Look> => {
        const { also = [] } = watch;
        const images = [watch, ...also].some(({ call: { gate } }) => gate === 'images-present') ? 'looked-at' : 'left-out';
        const looking = { cluster, operationId, image: watch.aim.build.image, images, signal: call.signal } as const;
        const { observed, known } = await observe(deps, looking);
        if (known) await remembered.keepMembers(known, call.signal);
        await noteReplacing(deps, call, acting, observed);
        for (const { name, pod } of observed.members) pods.set(name, pod);
        const judged = async (of: Pick<GateWatch, 'call' | 'aim'>, change: MergedChange | undefined) => {
          const said = readGate(of.call, observed, of.aim);
          return change ? change.judge(said, call.signal) : said;
        };
        const outcome = await judged(watch, merged);
        const following = outcome.is === 'passed' ? also : [];
        return {
          outcome,
          table: tableOf(observed),
          also: await settleAll(following.map((next) => judged(next, withRepository(next.call)))),
        };
      };
      let allLookedAt = Date.now();
      const look = async (): Promise<Look> => {
        if (Date.now() - allLookedAt < LOOK_AT_ALL_MS) {
          const outcome = await stillStarting(deps.clusters.get(cluster), watch.call, watch.aim, call.signal);
          if (outcome) return { outcome, table: [], rest: 'none' };
        }
        const seen = await lookAtAll();
        allLookedAt = Date.now();
        return seen;
      };
      const reading = await watchUntil(call, { ...watch, name: watch.call.gate, pollMs: config.pollSeconds * 1000 }, look);
      const { gate, members } = watch.call;
      if (gate !== 'volumes-settled' || config.storage.kind === 'unwatched' || reading.outcome.is !== 'passed') return reading;
      const writes = await measureWrites({ kube, config }, members, pods, call.signal);
      // Measuring takes its time: what follows is looked at anew.
      return { ...reading, also: [], outcome: passed(`${reading.outcome.because} ${writesText(writes)}`), writes };
    },
  };
}

/**
 * Looks until it need not wait, the time is over, or there is something new to say. A look that fails is a wait like others: what is away comes
 * back, and the deadline stands.
 */
export async function watchUntil(
  call: Call,
  watch: Watch & { readonly name: string; readonly pollMs: number },
  look: () => Promise<Look>,
): Promise<GateReading> {
  const begun = Date.now();
  // Between two attempts nobody looked.
  let passingSince = call.attempt > 1 ? undefined : watch.passingSince;
  let table: readonly MemberRow[] = [];
  for (let readings = 1; ; readings++) {
    const from = Date.now();
    const seen = await lookOrWait(call, look);
    const at = new Date();
    if (seen.table.length > 0) table = seen.table;
    passingSince = seen.outcome.is === 'passed' ? (passingSince ?? at.toISOString()) : undefined;
    const settled = settling(seen.outcome, passingSince, watch.settleSeconds, at);
    const outcome = at.getTime() >= Date.parse(watch.deadline) ? overdue(settled, watch) : settled;
    if (outcome.is !== 'waiting') {
      const also = outcome.is === 'passed' && seen.also !== undefined ? { also: seen.also } : {};
      return { outcome, passingSince, table, readings, at: at.toISOString(), ...also };
    }
    const changed = watch.returnOn === 'change' && outcome.reason !== watch.knownReason;
    if (changed || at.getTime() - begun >= watch.returnAfterSeconds * 1000) {
      return { outcome, passingSince, table, readings, at: at.toISOString() };
    }
    const progress = outcome.progress === undefined ? '' : ` (${outcome.progress})`;
    call.waiting({ waitingFor: `${watch.name}: ${outcome.reason}${progress}`, deadline: watch.deadline });
    // What is looked at may be starting on the same processors: half of the time is its own.
    const restMs = seen.rest === 'none' ? 0 : at.getTime() - from;
    await pause(Math.max(watch.pollMs, restMs), undefined, { signal: call.signal });
  }
}

async function lookOrWait({ signal }: Call, look: () => Promise<Look>): Promise<Look> {
  try {
    return await look();
  } catch (error) {
    if (!isPlatformError(error) || signal.aborted) throw error;
    return { outcome: waiting('The cluster cannot be read.', error.message), table: [] };
  }
}

function settling(outcome: GateOutcome, passingSince: string | undefined, settleSeconds: number, at: Date): GateOutcome {
  if (outcome.is !== 'passed' || passingSince === undefined) return outcome;
  const passedSeconds = (at.getTime() - Date.parse(passingSince)) / 1000;
  if (passedSeconds >= settleSeconds) return outcome;
  return waiting(
    `Passes; has to stay so for ${secondsText(settleSeconds)}.`,
    `${secondsText(settleSeconds - passedSeconds)} to go; ${outcome.because}`,
  );
}

function overdue(outcome: GateOutcome, { name }: { readonly name: string }): GateOutcome {
  if (outcome.is !== 'waiting') return outcome;
  const progress = outcome.progress === undefined ? '' : ` (${outcome.progress})`;
  return failed(
    `${name} has not passed in time. ${outcome.reason}${progress}`,
    'See why that takes so long; retry waits once more, skip goes on without it.',
  );
}
