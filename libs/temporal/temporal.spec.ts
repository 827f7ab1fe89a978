import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CancelledFailure, TerminatedFailure, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, RetryState } from '@temporalio/common';
import { createTemporalClient } from './connection.js';
import { createOperations } from './create-operations.js';
import { resourceIdOf } from './describe.js';
import { fromTemporal } from './errors.js';
import { visibilityQuery } from './list.js';
import type { Operations, StartRequest } from './operations.js';

const failed = (cause: Error) => new WorkflowFailedError('Workflow execution failed', cause, RetryState.NON_RETRYABLE_FAILURE);
const ours = (message = 'There is no image "x".') =>
  ApplicationFailure.create({ message, type: 'NOT_FOUND', details: [{ field: 'image' }], nonRetryable: true });

describe('what a workflow ended with', () => {
  test('is our error again, with its details, also through an activity', () => {
    const activity = new ActivityFailure('Activity task failed', 'makeWebspace', '1', RetryState.NON_RETRYABLE_FAILURE, 'worker', ours());
    for (const cause of [ours(), activity]) {
      expect(fromTemporal(failed(cause))).toMatchObject({
        code: 'NOT_FOUND',
        message: 'There is no image "x".',
        details: { field: 'image' },
      });
    }
  });

  test('is CANCELLED when it was cancelled or terminated', () => {
    expect(fromTemporal(failed(new CancelledFailure('Workflow canceled')))).toMatchObject({ code: 'CANCELLED' });
    expect(fromTemporal(failed(new TerminatedFailure('by hand')))).toMatchObject({
      code: 'CANCELLED',
      message: expect.stringContaining('operator'),
    });
  });

  test('is OPERATION_FAILED when it is none of ours', () => {
    expect(fromTemporal(failed(ApplicationFailure.create({ message: 'boom', type: 'Error' })))).toMatchObject({ code: 'OPERATION_FAILED' });
  });

  test('is NOT_FOUND when there is no such workflow, and a bug stays what it is', () => {
    expect(fromTemporal(new WorkflowNotFoundError('no', 'id', undefined))).toMatchObject({ code: 'NOT_FOUND' });
    const bug = new TypeError('x is undefined');
    expect(fromTemporal(bug)).toBe(bug);
  });
});

describe('ids of operations', () => {
  test.each([
    ['create:ws-u12:op-1', 'create:ws-u12:op-1'],
    ['boot:ws-u12', 'boot:ws-u12:run-1'],
    ['sweep', undefined],
    ['temporal-sys-scheduler:sweep', undefined],
  ])('of workflow %s is %s', (workflowId, id) => {
    expect(resourceIdOf(workflowId, 'run-1')).toBe(id);
  });
});

describe('the visibility query', () => {
  test('names only our workflow types, and limits what a member sees', () => {
    const query = visibilityQuery({ visibleTo: { owner: '12', webspace: 'ws-u12' }, kind: 'boot', status: 'cancelled' });
    expect(query).toBe(
      "WorkflowType IN ('bootWebspace') AND ExecutionStatus = 'Canceled' AND (WebspaceOwner = '12' OR WebspaceName = 'ws-u12')",
    );
  });

  test('names a member whose id it cannot hold by the webspace alone', () => {
    expect(visibilityQuery({ visibleTo: { owner: "auth0|5f7c' OR", webspace: 'ws-xabcdefghijkl' } })).toMatch(
      / AND WebspaceName = 'ws-xabcdefghijkl'$/,
    );
  });

  test('takes no value that could change it', () => {
    expect(() => visibilityQuery({ webspace: "x' OR '1'='1" })).toThrow(/characters/);
  });
});

const request: StartRequest = {
  kind: 'delete',
  name: 'ws-u12',
  operationId: 'op-1',
  input: {},
  requestedBy: { subject: '12', username: 'alice' },
  owner: '12',
  summary: 'delete ws-u12',
};

const milestone = { update: 'started', timeoutMs: 60_000 };

describe('when Temporal is away', () => {
  let silent: Server;
  const sockets = new Set<Socket>();
  const opened: Operations[] = [];
  beforeAll(async () => {
    silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => Promise.all(opened.splice(0).map((operations) => operations.close())));
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const port = (kind: string) => (kind === 'refuses connections' ? 1 : (silent.address() as AddressInfo).port);
  const operationsAt = (kind: string, outcomes: string[] = []) => {
    const config = { address: `127.0.0.1:${port(kind)}`, namespace: 'default', uiUrl: 'http://ui.test' };
    const operations = createOperations({
      ...createTemporalClient(config),
      uiUrl: config.uiUrl,
      callTimeoutMs: 1000,
      queryTimeoutMs: 500,
      observe: (call, outcome) => outcomes.push(`${call} ${outcome}`),
    });
    opened.push(operations);
    return operations;
  };

  describe.each(['refuses connections', 'never answers'])('because it %s', (kind) => {
    test.each([
      ['start', (operations: Operations) => operations.start(request)],
      ['runUntil of a boot', (operations: Operations) => operations.runUntil({ ...request, kind: 'boot' }, milestone)],
      [
        'bootUntilStarted with a key',
        (operations: Operations) => operations.runUntil({ ...request, kind: 'boot' }, { ...milestone, updateId: 'u' }),
      ],
      ['runUntil of a creation', (operations: Operations) => operations.runUntil({ ...request, kind: 'create' }, milestone)],
      [
        'runUntil of a creation with a key',
        (operations: Operations) => operations.runUntil({ ...request, kind: 'create' }, { ...milestone, updateId: 'u' }),
      ],
      ['get', (operations: Operations) => operations.get('delete:ws-u12:op-1')],
      ['list', (operations: Operations) => operations.list({ limit: 1 })],
      ['check', (operations: Operations) => operations.check()],
    ])('%s fails with UNAVAILABLE within three seconds', async (_name, run) => {
      const began = Date.now();
      await expect(run(operationsAt(kind))).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 3000 } });
      expect(Date.now() - began).toBeLessThan(3000);
    });
  });

  test('calls are counted with their outcome', async () => {
    const outcomes: string[] = [];
    await operationsAt('refuses connections', outcomes)
      .check()
      .catch(() => undefined);
    expect(outcomes).toEqual(['check UNAVAILABLE']);
  });
});
