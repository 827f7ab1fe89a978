import type { Acting } from '../../libs/contracts/activities.js';
import type { OperationKind, RebootWebspaceInput, ShutdownWebspaceInput, StateResult } from '../../libs/contracts/operations.js';
import { lasting, quick, slow } from '../shared/activities.js';
import { Operation } from '../shared/step.js';

const LOCK_DEADLINE_MS = 30_000;
/** A container that ignores the request to stop is stopped by force after this. */
const GRACEFUL_STOP_SECONDS = 30;

/** Shuts a webspace down: visitors are led to the gateway first, then the container stops, cleanly if it can. */
export async function shutdownWebspace(input: ShutdownWebspaceInput): Promise<StateResult> {
  return stop('shutdown', input);
}

/** As a shutdown, followed by a start; ready when its port answers. */
export async function rebootWebspace(input: RebootWebspaceInput): Promise<StateResult> {
  return stop('reboot', input);
}

async function stop(kind: Extract<OperationKind, 'shutdown' | 'reboot'>, input: ShutdownWebspaceInput): Promise<StateResult> {
  const { name, operationId } = input;
  const unread: Acting = { kind, name, operationId, uid: '' };
  const operation = new Operation();
  return operation.run(async () => {
    operation.undoBy('settle', `Look last and free the lock of ${name}`, () => lasting(`Settle ${name}`).settle(unread));
    const facts = await operation.stepWhenFree('begin', `Lead visitors of ${name} to the gateway`, LOCK_DEADLINE_MS, () =>
      quick(`Take ${name} off its container`).beginStop(unread),
    );
    const acting: Acting = { ...unread, uid: facts.uid };
    await operation.step('stop', `Stop container ${name}`, () =>
      slow(`Stop container ${name}`).stopInstance(acting, GRACEFUL_STOP_SECONDS),
    );
    if (kind === 'reboot') {
      // One of the original has an address of its own from its start on.
      const started = await operation.stepWhenFree('start', `Start container ${name}`, LOCK_DEADLINE_MS, () =>
        slow(`Start container ${name}`).startInstance(acting),
      );
      await operation.step('ready', `Wait for ${started.address}:${started.port}`, () =>
        slow(`Wait for ${started.address}:${started.port}`).awaitReady(acting, started),
      );
    }
    const { phase } = await operation.step('settle', `Look last and free the lock of ${name}`, () =>
      lasting(`Settle ${name}`).settle(acting),
    );
    return { name, phase };
  });
}
