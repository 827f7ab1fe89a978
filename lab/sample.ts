import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SAMPLE_USERS, tokenFor } from './apps.js';
import { type HttpAnswer, http } from './http.js';
import type { Profile } from './profile.js';
import { waitFor } from './wait.js';

export class SampleError extends Error {
  override readonly name = 'SampleError';
}

const PATIENCE_MS = 60_000;

/** alice's webspace, made and booted through the API like any member's; what exists already is fine. */
export async function makeSampleWebspace(profile: Profile): Promise<string> {
  const created = await settled(profile, 'POST', '/v1/webspace/self', { image: 'hello' });
  if (created.status !== 201 && created.status !== 409) throw refused('creating the sample webspace', created);
  const booted = await settled(profile, 'POST', '/v1/webspace/self/state');
  if (booted.status !== 204 && booted.status !== 409) throw refused('booting the sample webspace', booted);
  return created.status === 201 ? 'created' : 'there already';
}

/** Tokens lie in files that only root may read, and are printed once for copying. */
export function writeTokens(profile: Profile): Record<string, string> {
  mkdirSync(profile.paths.tokens, { recursive: true, mode: 0o700 });
  return Object.fromEntries(
    Object.entries(SAMPLE_USERS).map(([username, user]) => {
      const token = tokenFor(profile, user);
      writeFileSync(join(profile.paths.tokens, username), `${token}\n`, { mode: 0o600 });
      return [username, token];
    }),
  );
}

/** 503 says that something is on its way up (the first sweep, for example); anything else is the answer. */
function settled(profile: Profile, method: string, path: string, body?: unknown): Promise<HttpAnswer> {
  const headers = { authorization: `Bearer ${tokenFor(profile, SAMPLE_USERS.alice)}` };
  const request = () => http(`${profile.urls.api}${path}`, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
  let last: HttpAnswer | undefined;
  return waitFor(
    `${method} ${path}`,
    async () => {
      last = await request();
      if (last.status === 503) throw new Error(`503 ${last.body.slice(0, 300)}`);
      return last;
    },
    { timeoutMs: PATIENCE_MS, intervalMs: 300 },
  );
}

function refused(what: string, answer: HttpAnswer): SampleError {
  return new SampleError(`${what}: the API answered ${answer.status} ${answer.body.slice(0, 500)}`);
}
