import { z } from 'zod';
import { PlatformError } from '#libs/errors/platform-error.js';

/** The claims of the original's tokens, which the `local` adapter issues in the same form. */
export const claimsSchema = z.looseObject({
  sub: z.union([z.string().min(1), z.number()]).transform(String),
  exp: z.number(),
  version: z.number().default(0),
  is_admin: z.boolean().default(false),
});
export type Claims = z.output<typeof claimsSchema>;

export const TOKEN_AUDIENCE = 'auth';
export const LOCAL_ISSUER = 'webspaces-local';

/** Always the same text for the same kind of fault, and never any part of the token. */
export function unauthorized(reason: string, cause?: unknown): PlatformError {
  return new PlatformError('UNAUTHORIZED', `The token is not accepted: ${reason}. Log in again.`, cause === undefined ? {} : { cause });
}
