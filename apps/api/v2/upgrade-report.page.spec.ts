import { describe, expect, test } from '@jest/globals';
import type { UpgradeReport } from '#libs/contracts/upgrades.js';
import { examplePlan, exampleReport, exampleView, UPGRADE_ID } from '../testing/upgrade-example.js';
import { reportPage } from './upgrade-report.page.js';

/** What a reader sees of it, in one line. */
function textOf(page: string): string {
  const body = page.slice(page.indexOf('<body>'));
  return body
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/\s+/g, ' ');
}

/** Every text of the report is replaced by one that is markup. */
function poisoned(value: unknown): unknown {
  if (typeof value === 'string') return `<img src=x onerror="alert('${value.length}')">&`;
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poisoned(inner)]));
}

describe('the page of a report', () => {
  test('says how it ended, who asked and approved, and the plan beside what happened', () => {
    const plan = examplePlan();
    const text = textOf(reportPage(exampleReport(), UPGRADE_ID));
    expect(text).toContain('Finished. All members run the new image.');
    expect(text).toContain('2026-03-01 10:00:00 root requested');
    expect(text).toContain(`bob approve rolling ${plan.hash}`);
    expect(text).toContain('17.5 s (2026-03-01 10:03:00 to 10:03:17)');
    expect(text).toContain('not seen to serve again');
    expect(text).toContain('7 files in /copies/lab/1');
    for (const { step } of exampleView().steps) expect(text).toContain(step.id);
    const gate = plan.steps.find(({ action }) => action.do === 'wait-for-gate');
    expect(text).toContain(`Seen at ${gate?.id}.`);
  });

  test('says what failed, what was skipped and why, what the plan warned of, and what is left to do', () => {
    const { steps, audit, ...report } = exampleReport();
    const [failed, skipped, ...others] = steps;
    if (!failed || !skipped) throw new Error('the example has steps');
    const plan = { ...examplePlan(), warnings: [{ code: 'no-quorum-margin' as const, text: 'There are too few voters.' }] };
    const outcome = { is: 'failed', reason: 'Pod lxd-0 does not run.', remedy: 'Read its log.' } as const;
    const page = reportPage(
      {
        ...report,
        plans: [plan],
        notes: ['Pull request 7 could not be closed: close it.'],
        steps: [{ ...failed, state: 'failed', outcome }, { ...skipped, state: 'skipped' }, ...others],
        audit: [
          ...audit,
          { at: '2026-03-01T10:01:00.000Z', by: { subject: '1', username: 'root' }, did: 'skip', about: 'disk is being replaced' },
        ],
      },
      UPGRADE_ID,
    );
    const text = textOf(page);
    expect(text).toContain(`Failed: ${failed.step.id}. Pod lxd-0 does not run. Read its log.`);
    expect(text).toContain(`Skipped: ${skipped.step.id}`);
    expect(text).toContain('root skip disk is being replaced');
    expect(text).toContain('Warning of the plan: There are too few voters.');
    expect(text).toContain('Left to do: Pull request 7 could not be closed: close it.');
  });

  test('says whether the point of no return was passed, and when', () => {
    const plan = examplePlan('lockstep-parallel');
    const report = { ...exampleView(plan), members: [], summary: '' };
    expect(textOf(reportPage(report, UPGRADE_ID))).toContain(`Point of no return, step ${plan.pointOfNoReturn?.step}: still ahead.`);
    const steps = report.steps.map((step) => ({ ...step, startedAt: '2026-03-01T10:04:05.000Z' }));
    expect(textOf(reportPage({ ...report, steps }, UPGRADE_ID))).toContain('passed at 2026-03-01 10:04:05 UTC; an abort is refused since.');
  });

  test('of one that has not ended says what it waits for', () => {
    const text = textOf(reportPage({ ...exampleView(), members: [], summary: 'It has not ended yet.' }, UPGRADE_ID));
    expect(text).toContain('Waits for members-online: lxd-0 is Offline. since 2026-03-01 10:00:05 UTC, at most until');
    expect(text).toContain('not ended yet');
  });

  test('lets no text of the report become markup, and needs nothing from elsewhere', () => {
    const report = exampleReport();
    const hostile = { ...(poisoned(report) as UpgradeReport), phase: report.phase, steps: poisonedSteps(report) };
    const page = reportPage(hostile, '<script>');
    expect(page).not.toMatch(/<(img|script)/);
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(');
    expect(page).not.toMatch(/(src|href)="|url\(|@import/);
  });
});

function poisonedSteps({ steps }: UpgradeReport): UpgradeReport['steps'] {
  return steps.map((step) => ({ ...(poisoned(step) as typeof step), state: step.state, way: step.way }));
}
