import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import type { Lab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import type { AccountPolicyResult } from '#libs/contracts/accounts.js';
import { ACCOUNTS_SCHEDULE_ID, TASK_QUEUE } from '#libs/contracts/ids.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import type { IamLab } from './api-beside.js';

/** The account policy of a worker that asks the identity service of a test; rounds only when they are asked for. */
export interface PolicyLab {
  /** One round from its start to its end. */
  run(): Promise<AccountPolicyResult>;
  /** How often the policy held back for that reason. */
  refused(reason: string): Promise<number>;
  scheduled(): Promise<boolean>;
  close(): Promise<void>;
}

export async function startPolicyLab(lab: Lab, { iam, tokenFile }: IamLab, graceSeconds: number): Promise<PolicyLab> {
  const file = join(lab.profile.paths.apps, 'worker.yaml');
  const usual = readFileSync(file, 'utf8');
  const changed = {
    ...(parse(usual) as object),
    identity: { adapter: 'iam', iam: { url: iam.url, tokenFile, timeoutMs: 1_000 } },
    accounts: { enabled: true, intervalSeconds: 86_400, graceSeconds },
    sweep: { intervalSeconds: 86_400 },
  };
  writeFileSync(file, stringify(changed), { mode: 0o600 });
  await lab.process('worker').restart();
  const connection = await Connection.connect({ address: lab.temporalAddress });
  const { workflow, schedule } = new Client({ connection });
  const exists = () =>
    schedule
      .getHandle(ACCOUNTS_SCHEDULE_ID)
      .describe()
      .then(
        () => true,
        () => false,
      );
  let count = 0;
  return {
    run: () =>
      workflow.execute<() => Promise<AccountPolicyResult>>(WORKFLOW_TYPES.accountPolicy, {
        workflowId: `accounts-asked-by-test-${Date.now()}-${++count}`,
        taskQueue: TASK_QUEUE,
        args: [],
      }),
    refused: async (reason) => {
      const { body } = await http(`http://127.0.0.1:${lab.profile.ports.worker}/metrics`);
      const line = body.split('\n').find((text) => text.startsWith(`webspaces_sweep_refused_total{reason="${reason}"}`));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    scheduled: exists,
    close: async () => {
      writeFileSync(file, usual, { mode: 0o600 });
      await lab.process('worker').restart();
      await waitFor('the Schedule to be gone', async () => !(await exists()), { timeoutMs: 30_000 });
      await connection.close();
    },
  };
}
