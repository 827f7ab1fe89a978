import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { besideProcess } from '#lab/apps.js';
import type { Lab } from '#lab/harness.js';
import { type HttpAnswer, http } from '#lab/http.js';
import type { LabProcess } from '#lab/process.js';
import { type IamDouble, type IamDoubleUser, startIamDouble } from '#libs/testing/iam-double/server.js';

/** A second API process beside the lab's, on a port of its own: the same webspaces, other settings. */
export interface ApiBeside {
  readonly url: string;
  readonly process: LabProcess;
  ask(token: string | undefined, method: string, path: string, body?: unknown): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** Starts it with the lab's configuration but for what is given. */
export async function startApiBeside(lab: Lab, changes: Readonly<Record<string, unknown>>): Promise<ApiBeside> {
  const port = lab.profile.ports.api + 1;
  const url = `http://127.0.0.1:${port}`;
  const settings = { listen: `127.0.0.1:${port}`, publicUrl: url, ...changes };
  const beside = besideProcess(lab.profile, 'api', settings, `${url}/health/ready`);
  await beside.restart();
  return {
    url,
    process: beside,
    ask: (token, method, path, body) =>
      http(`${url}${path}`, {
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        timeoutMs: 90_000,
        ...(body === undefined ? {} : { body }),
      }),
    close: async () => {
      await beside.stop();
    },
  };
}

export interface IamLab {
  readonly iam: IamDouble;
  readonly api: ApiBeside;
  /** The platform's own admin token, as API and worker read it. */
  readonly tokenFile: string;
  close(): Promise<void>;
}

/** The account whose token the platform itself uses. */
export const PLATFORM: IamDoubleUser = { id: 1000, username: 'platform', is_admin: true };

/** An identity service as the original's, and an API that asks it; nothing is remembered between requests. */
export async function startIamLab(lab: Lab, users: readonly IamDoubleUser[], changes: object = {}): Promise<IamLab> {
  const iam = await startIamDouble([PLATFORM, ...users]);
  const tokenFile = join(lab.profile.paths.apps, 'iam-token');
  writeFileSync(tokenFile, await iam.issue(PLATFORM.username, { ttlSeconds: 24 * 3600 }), { mode: 0o600 });
  const iamConfig = { url: iam.url, tokenFile, timeoutMs: 1_000 };
  const api = await startApiBeside(lab, { ...changes, identity: { adapter: 'iam', cacheSeconds: 0, refusedSeconds: 0, iam: iamConfig } });
  return {
    iam,
    api,
    tokenFile,
    close: async () => {
      await api.close();
      await iam.close();
    },
  };
}
