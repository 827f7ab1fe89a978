import type { Client, WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import type { WebspaceActivities, WebspaceFacts } from '#libs/contracts/activities.js';
import type { ErrorCode } from '#libs/contracts/error-codes.js';
import { SEARCH_ATTRIBUTES } from '#libs/contracts/ids.js';
import type { ImageActivities, ImportPlan } from '#libs/contracts/images.js';
import type { ScaleActivities } from '#libs/contracts/scalings.js';
import type { UpgradeActivities } from '#libs/contracts/upgrade-activities.js';
import { serialiseRecord } from '#libs/domain/record.js';
import { exampleRecord } from './example-record.js';
import { workflowBundle } from './workflow-bundle.js';

export const exampleFacts: WebspaceFacts = {
  uid: exampleRecord().uid,
  owner: { id: '1', username: 'alice' },
  host: 'alice.ws.example.org',
  address: '10.77.128.5',
  port: 80,
  startupDelaySeconds: 3,
  fingerprint: 'f'.repeat(64),
  record: serialiseRecord(exampleRecord()),
};

/** A failure as activities throw it. */
export function failing(code: ErrorCode, message = `${code} on purpose`): () => Promise<never> {
  return async () => {
    throw ApplicationFailure.create({ type: code, message, nonRetryable: true });
  };
}

export interface RigRun<T> {
  readonly handle: WorkflowHandle;
  readonly client: Client;
  /** The activities that were called, in order, each once per attempt. */
  readonly calls: readonly string[];
  result(): Promise<T>;
}

/** Workflows on a real Temporal dev server in memory, with activities that only answer. Every execution is replayed at its end. */
export class WorkflowRig {
  #runs = 0;

  private constructor(
    readonly environment: TestWorkflowEnvironment,
    readonly bundle: WorkflowBundle,
  ) {}

  static async start(serverPath: string): Promise<WorkflowRig> {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    const [environment, bundle] = await Promise.all([
      TestWorkflowEnvironment.createLocal({
        server: {
          executable: { type: 'existing-path', path: serverPath },
          ui: false,
          log: { level: 'error', format: 'json' },
          searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) => defineSearchAttributeKey(name, 'KEYWORD')),
        },
      }),
      workflowBundle(),
    ]);
    return new WorkflowRig(environment, bundle);
  }

  stop(): Promise<void> {
    return this.environment.teardown();
  }

  /** Runs one workflow while `act` plays the world around it. */
  async run<T>(
    workflowType: string,
    input: object,
    activities: Partial<WebspaceActivities & ImageActivities & UpgradeActivities & ScaleActivities>,
    act: (run: RigRun<T>) => Promise<void>,
  ): Promise<void> {
    const calls: string[] = [];
    const workflowId = `${workflowType}-${this.#runs++}`;
    // A worker of its own for each run: task queues may not overlap while the last one drains.
    const taskQueue = workflowId;
    const worker = await Worker.create({
      connection: this.environment.nativeConnection,
      taskQueue,
      workflowBundle: this.bundle,
      activities: recorded({ ...HARMLESS, ...activities }, calls),
    });
    const { client } = this.environment;
    await worker.runUntil(async () => {
      const handle = await client.workflow.start(workflowType, { taskQueue, workflowId, args: [input] });
      await act({ handle, client, calls, result: () => handle.result() as Promise<T> });
      await Worker.runReplayHistory({ workflowBundle: this.bundle }, await handle.fetchHistory(), workflowId);
    });
  }
}

type AnyActivity = (...args: never[]) => Promise<unknown>;

function recorded(
  activities: WebspaceActivities & ImageActivities & Partial<UpgradeActivities & ScaleActivities>,
  calls: string[],
): Record<string, AnyActivity> {
  return Object.fromEntries(
    Object.entries(activities as unknown as Record<string, AnyActivity>).map(([name, run]) => [
      name,
      async (...args: never[]) => {
        calls.push(name);
        return run(...args);
      },
    ]),
  );
}

const done = async () => undefined;
/** The plan of an import as activities make it. */
export const examplePlan: ImportPlan = {
  source: 'github:netsoc/images/hello',
  version: '1.0.0',
  architecture: 'amd64',
  releaseId: 7,
  files: [],
  passedOver: [],
};

const HARMLESS: WebspaceActivities & ImageActivities = {
  takeImageLock: async () => ({ taken: true }),
  awaitImport: failing('NOT_FOUND'),
  resolveImport: async () => examplePlan,
  checkSpace: done,
  fetchImage: async () => ({ files: [], fingerprint: 'f'.repeat(64), transferredBytes: 5 }),
  verifyImage: done,
  createImage: async () => 'created',
  moveAlias: async () => ({}),
  removeOldVersions: async () => [],
  finishImport: done,
  abandonImport: done,
  checkSources: async () => ({ checked: 0, found: [], problems: [] }),
  pruneImages: async () => [],
  makeWebspace: async () => exampleFacts,
  setRootPassword: done,
  authorizeKey: done,
  installSsh: async () => ({ installed: 'now' }),
  finishCreation: done,
  changeRecord: async () => ({
    name: 'ws-u1',
    uid: exampleFacts.uid,
    previous: { startupDelaySeconds: 3, httpPort: 80, sniPassthrough: false },
    added: [],
  }),
  ensureProjection: done,
  settle: async () => ({ phase: 'stopped' }),
  startInstance: async () => ({ ...exampleFacts, changed: true }),
  awaitReady: async () => ({ answering: true, waitedMs: 1 }),
  beginStop: async () => exampleFacts,
  stopInstance: async () => ({ forced: false }),
  turnOff: async () => ({ forced: false }),
  archiveInstance: async () => ({
    name: 'ws-u1',
    uid: exampleFacts.uid,
    owner: '1',
    alias: 'archive/ws-u1/x',
    fingerprint: 'f'.repeat(64),
  }),
  findIdle: async () => ({ running: 0, used: 0, unread: 0, idle: [] }),
  findShortOfMemory: async () => [],
  checkAccounts: async () => ({ checked: 0, missing: 0, actions: [], problems: [] }),
  judgeAccounts: async () => [],
  readForRestore: async () => exampleFacts,
  restoreClaims: done,
  planAdoption: async () => ({ total: 0, webspaces: [], leftovers: { objects: [], command: 'kubectl delete' } }),
  convertRecord: async () => ({ ...exampleFacts, converted: true }),
  markDeleted: async () => ({ uid: exampleFacts.uid }),
  takeOver: done,
  removeInstance: done,
  removeObjects: done,
  releaseLock: done,
  reconcile: async () => ({ outcome: 'in step', again: false }),
  compareAll: async () => ({
    instances: 0,
    removed: 0,
    refusals: [],
    toReconcile: [],
    toRestore: [],
    toDelete: [],
    complete: true,
    claimsOpen: true,
  }),
  proveDomains: done,
  stillUnproved: async (_name, domains) => [...domains],
  checkDomains: async () => ({ proved: 0, refuted: 0, unanswered: 0, toRelease: [], refusals: [] }),
  openClaims: done,
};
