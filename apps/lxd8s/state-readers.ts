import type { IncomingMessage } from 'node:http';
import type { StateFor } from '#libs/config/lxd8s.js';

const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** The answer to everybody else: a status and what to do. */
export const POD_ONLY = { status: 403, body: { message: 'Only from within the pod, as by kubectl exec; stateFor opens it.' } } as const;

/**
 * Whether the caller may read what a member says of itself. With `pod`, what runs in the same pod, and whoever Kubernetes lets in there
 * (`kubectl exec`, `port-forward`): the kernel takes no packet from outside that says to come from the loopback.
 */
export function mayRead({ socket }: Pick<IncomingMessage, 'socket'>, stateFor: StateFor): boolean {
  return stateFor === 'anyone' || LOOPBACK.test(socket.remoteAddress ?? '');
}
