import { z } from 'zod';

const DAY_SECONDS = 86_400;

/** What becomes of a webspace whose account is renamed, expires or is deleted. */
export const accountsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Follow the accounts of all webspaces, as `identity` shows them'),
    intervalSeconds: z.int().min(1).default(3600).describe('How often all accounts are looked at'),
    membershipSeconds: z
      .int()
      .min(0)
      .default(365 * DAY_SECONDS)
      .describe('How long a membership lasts after it was renewed, where the directory knows; 0 for ever'),
    graceSeconds: z
      .int()
      .min(0)
      .default(30 * DAY_SECONDS)
      .describe('How long a webspace stays suspended before it is archived and deleted; 0 for ever'),
  })
  .prefault({});
