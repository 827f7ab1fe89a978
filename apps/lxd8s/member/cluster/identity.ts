import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

/** What Kubernetes says of the bearer of a token of a pod (1.36, tried: the pod is in `extra` of tokens that are bound to one). */
const review = z.looseObject({
  status: z.looseObject({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string()).default([]),
    error: z.string().optional(),
    user: z
      .looseObject({ username: z.string().default(''), extra: z.record(z.string(), z.array(z.string())).nullish() })
      .default({ username: '' }),
  }),
});
const POD_NAME = 'authentication.kubernetes.io/pod-name';

export interface IdentityOptions {
  readonly kube: Pick<KubernetesClient, 'create'>;
  readonly namespace: string;
  readonly statefulSet: string;
  readonly audience: string;
}

/** Tells which pod of the StatefulSet a token is of. */
export type Identify = (token: string) => Promise<string>;

/**
 * Asks Kubernetes whose a token is. @throws PlatformError UNAUTHORIZED for a token that is no good, or for another audience; FORBIDDEN for the
 * token of anything but a pod `<statefulSet>-<number>` of this namespace.
 */
export function identifyBy({ kube, namespace, statefulSet, audience }: IdentityOptions): Identify {
  const asMember = new RegExp(`^${statefulSet.replace(/[^a-z0-9-]/g, '')}-\\d+$`);
  return async (token) => {
    const answer = await kube.create('tokenReview', { metadata: { name: 'member' }, spec: { token, audiences: [audience] } });
    const { status } = review.parse(answer);
    if (!status.authenticated || !status.audiences.includes(audience)) {
      throw new PlatformError(
        'UNAUTHORIZED',
        `Kubernetes does not know this token for ${audience}: ${status.error ?? 'not authenticated'}`,
      );
    }
    const { username, extra } = status.user;
    const pod = extra?.[POD_NAME]?.[0];
    if (!username.startsWith(`system:serviceaccount:${namespace}:`) || pod === undefined || !asMember.test(pod)) {
      throw new PlatformError('FORBIDDEN', `${username}${pod === undefined ? '' : ` in the pod ${pod}`} is no member of ${statefulSet}`);
    }
    return pod;
  };
}
