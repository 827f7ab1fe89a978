import type { PlannedStep } from './actions.js';
import type { Draft } from './replacing.js';
import { compareVersions } from './versions.js';
import { versionsText } from './wording.js';

/** The first step that the way back cannot undo; approved separately. */
export interface PointOfNoReturn {
  readonly step: string;
  readonly reason: string;
}

/**
 * Two things close the way back. The schema: the database takes it when the last member has recorded it. And, with an LXD that aligns
 * upwards only, the second member that has recorded: an older daemon exits beside a member that is ahead and its own row is rolled back
 * (lxd/db/cluster/open.go, lxd/db/schema/schema.go), so of two such members none can be the first to go back.
 */
export function pointOfNoReturn(
  { kind, observed, before, desired, replaced }: Draft,
  steps: readonly PlannedStep[],
): PointOfNoReturn | undefined {
  if (kind === 'rolling') return undefined;
  const { versions } = desired.target;
  const isAhead = new Set(
    observed.members.filter((member) => compareVersions(member.versions, before.versions) === 'ahead').map(({ name }) => name),
  );
  const deletions = steps.filter(({ action }) => action.do === 'delete-pods');
  const total = observed.members.length;
  const schemaRises = versions.schema > before.versions.schema;
  const needed = observed.alignment === 'upwards' && total > 1 ? 2 : total;
  if (needed === total && !schemaRises && (observed.alignment === 'both' || total === 1)) return undefined;
  const reason =
    needed === 2 && total > 2
      ? `two members have then recorded ${versionsText(versions)}: the old LXD exits beside a member that is ahead, so neither can be the first to go back`
      : `all members have then recorded ${versionsText(versions)}${schemaRises ? ', and the database takes the schema, which never goes back' : ''}`;
  if (isAhead.size >= needed) return { step: steps[0]?.id ?? '', reason: `already passed: ${reason}` };
  const first = new Set(replaced.map(({ member }) => member));
  for (const { id, action } of deletions) {
    if (action.do !== 'delete-pods') continue;
    for (const member of action.members) if (first.has(member)) isAhead.add(member);
    if (isAhead.size >= needed) return { step: id, reason };
  }
  return undefined;
}
