import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseRepository } from './repository.js';
import type { Repository } from './types.js';

export interface SignedWebhook {
  readonly secret: string;
  /** `X-Hub-Signature-256` */
  readonly signature: string | undefined;
  /** The bytes as they came: a body that was parsed and written again has another signature. */
  readonly body: Buffer | string;
}

/** Whether GitHub signed the body with this secret (HMAC SHA-256, compared in constant time). Never with an empty secret. */
export function verifyWebhook({ secret, signature, body }: SignedWebhook): boolean {
  const given = /^sha256=([0-9a-f]{64})$/.exec(signature ?? '')?.[1];
  if (given === undefined || secret === '') return false;
  return timingSafeEqual(createHmac('sha256', secret).update(body).digest(), Buffer.from(given, 'hex'));
}

/** A hint that releases of a repository changed. What they are is asked of GitHub, not read from here. */
export interface ReleaseEvent {
  /** `published`, `released`, `prereleased`, `edited`, `deleted`, `unpublished`, `created`, or what GitHub adds. */
  readonly action: string;
  readonly repository: Repository;
  readonly tag: string;
  readonly releaseId: number;
}

const releaseEvent = z.object({
  action: z.string().min(1).max(100),
  release: z.object({ id: z.int().positive(), tag_name: z.string().min(1) }),
  repository: z.object({ name: z.string(), owner: z.object({ login: z.string() }) }),
});

/**
 * The body of a webhook with `X-GitHub-Event: release`. Events can come twice, late, or not at all, in any order.
 * @throws PlatformError INVALID_INPUT
 */
export function parseReleaseEvent(body: Buffer | string): ReleaseEvent {
  const parsed = releaseEvent.safeParse(parseJson(body.toString()));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new PlatformError(
      'INVALID_INPUT',
      `This is no release event of GitHub as JSON: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? ''}.`,
      { details: { field: issue?.path.join('.') || 'body' } },
    );
  }
  const { action, release, repository } = parsed.data;
  return { action, repository: parseRepository(repository.owner.login, repository.name), tag: release.tag_name, releaseId: release.id };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused by the schema
  }
}
