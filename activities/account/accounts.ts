import type { AccountAction, AccountFindings, AccountsRefused, AccountsRound } from '#libs/contracts/accounts.js';
import { type AccountStanding, actionFor, type PolicyTimes, standingOf } from '#libs/domain/account-policy.js';
import { isWebspaceName } from '#libs/domain/names.js';
import type { WebspaceRecord } from '#libs/domain/record.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { Directory } from '#libs/identity/identity.js';
import type { Deps } from '../shared/deps.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import { readInstance } from '../webspace/observe.js';

const PAGE = 200;
/** Questions to the identity service under way at once. */
const LANES = 8;
/** A round suspends no more than this share alone, and never less than five may be: else rather the identity service is wrong. */
const SHARE = 0.02;
const ALWAYS = 5;
const APPROVAL = 'account-policy-approved';

type Needed = 'lxd' | 'platform' | 'installation' | 'metrics' | 'accounts';

interface Owned {
  readonly name: string;
  readonly record: WebspaceRecord;
}

/** What becomes of webspaces by what the identity service says of their accounts. */
export function accountSteps({ lxd, platform, installation, metrics, accounts }: Pick<Deps, Needed>) {
  const times = (): PolicyTimes => ({
    nowMs: Date.now(),
    membershipMs: accounts.membershipSeconds === 0 ? undefined : accounts.membershipSeconds * 1000,
    graceMs: accounts.graceSeconds === 0 ? undefined : accounts.graceSeconds * 1000,
  });

  /** The next webspaces by name whose record can be read and that nobody deletes. */
  async function page(
    after: string,
    signal: AbortSignal,
  ): Promise<{ readonly owned: readonly Owned[]; readonly next: string | undefined }> {
    const names = (await lxd.instances.list({ signal }))
      .filter(({ name }) => name > after && isWebspaceName(platform.instancePrefix, name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const taken = names.slice(0, PAGE);
    const owned = taken.flatMap((instance) => {
      const observed = readInstance(instance);
      return observed.is === 'present' && observed.record.deletedBy === undefined ? [{ name: instance.name, record: observed.record }] : [];
    });
    return { owned, next: names.length > taken.length ? taken.at(-1)?.name : undefined };
  }

  /** An account that is not found is asked for once more: what follows from it is not small. */
  async function standing(directory: Directory, { record }: Owned): Promise<AccountStanding> {
    const { id } = record.owner;
    return standingOf((await directory.byId(id)) ?? (await directory.byId(id)), times());
  }

  function decide({ name, record }: Owned, standing: AccountStanding): AccountAction | { readonly problem: string } | undefined {
    try {
      return actionFor(name, record, standing, platform.baseDomain, times());
    } catch (error) {
      if (isPlatformError(error, 'INVALID_INPUT')) return { problem: error.message };
      throw error;
    }
  }

  return {
    async checkAccounts(call: Call, after: string | undefined): Promise<AccountFindings | AccountsRefused> {
      const { identity } = accounts;
      const directory = identity?.directory;
      if (!directory) throw new PlatformError('INVALID_INPUT', 'The worker knows no identity service to look accounts up in.');
      const { owned, next } = await page(after ?? '', call.signal);
      try {
        await identity.check();
        const standings = await inLanes(owned, LANES, (one) => standing(directory, one));
        const decided = owned.map((one, i) => decide(one, standings[i] as AccountStanding));
        return {
          checked: owned.length,
          missing: standings.filter(({ is }) => is === 'deleted').length,
          actions: decided.flatMap((one) => (one && 'action' in one ? [one] : [])),
          problems: decided.flatMap((one) => (one && 'problem' in one ? [one.problem] : [])),
          ...(next === undefined ? {} : { next }),
        };
      } catch (error) {
        if (!isPlatformError(error)) throw error;
        metrics.refused('AccountsUnreadable');
        return { refused: `The accounts cannot be read: ${error.message}` };
      }
    },

    async judgeAccounts(call: Call, round: AccountsRound): Promise<readonly string[]> {
      const doubt = doubtOf(round);
      const count = round.toSuspend + round.toArchive;
      if (!doubt || (await installation.takeApproval(count, call.signal, APPROVAL))) return [];
      metrics.refused(doubt.reason);
      return [`${doubt.message} ${installation.approvalHint(count, APPROVAL)}`];
    },
  };
}

/** Why that much rather means that the identity service is wrong. */
function doubtOf({ checked, missing, toSuspend, toArchive }: AccountsRound): { reason: string; message: string } | undefined {
  if (toSuspend + toArchive === 0) return undefined;
  if (checked > 1 && missing === checked) {
    return {
      reason: 'NobodyExists',
      message: `The identity service says that none of ${checked} accounts exists: nothing is done about it.`,
    };
  }
  const limit = Math.max(ALWAYS, Math.floor(checked * SHARE));
  if (toSuspend <= limit && toArchive <= limit) return undefined;
  const message = `${toSuspend} webspaces would be suspended and ${toArchive} archived, more than the ${limit} of each that one round does alone.`;
  return { reason: 'TooManyAccounts', message };
}
