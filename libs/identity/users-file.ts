import { readFileSync, type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo } from './identity.js';

const usersSchema = z.strictObject({
  users: z.array(
    z.strictObject({
      id: z.union([z.string().min(1), z.int()]).transform(String),
      username: z.string().min(1),
      isAdmin: z.boolean().default(false),
      sshKey: z.string().optional(),
      version: z.int().default(0),
    }),
  ),
});

export interface User extends AccountInfo {
  /** Tokens of any other version are revoked. */
  readonly version: number;
}

interface Users {
  readonly byId: ReadonlyMap<string, User>;
  readonly byName: ReadonlyMap<string, User>;
}

/** The users file, read again when it has changed. A change that cannot be read leaves the users as they were until it can. */
export class UsersFile {
  readonly #path: string;
  #users: Users;
  #seen: string;
  /** Why the present file could not be read; undefined when all is well. */
  #problem: string | undefined;

  /** @throws PlatformError INVALID_INPUT when the file is not there or not valid. */
  constructor(path: string) {
    this.#path = path;
    this.#seen = stampOf(statSync(path));
    this.#users = parse(path);
  }

  async users(): Promise<Users> {
    try {
      const stamp = stampOf(await stat(this.#path));
      if (stamp !== this.#seen) {
        this.#users = parse(this.#path);
        this.#seen = stamp;
      }
      this.#problem = undefined;
    } catch (error) {
      this.#problem = messageOf(error);
    }
    return this.#users;
  }

  async check(): Promise<void> {
    await this.users();
    if (this.#problem)
      throw new PlatformError('UNAVAILABLE', `The users file cannot be read again, the earlier users stay: ${this.#problem}`);
  }
}

function stampOf({ mtimeMs, size, ino }: Stats): string {
  return `${mtimeMs}:${size}:${ino}`;
}

function parse(path: string): Users {
  const refuse = (why: string) => new PlatformError('INVALID_INPUT', `The users file ${path} is not valid: ${why}`);
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw refuse(messageOf(error));
  }
  const parsed = usersSchema.safeParse(content);
  if (!parsed.success) throw refuse(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  const users: User[] = parsed.data.users.map(({ sshKey, ...user }) => ({ ...user, ...(sshKey === undefined ? {} : { sshKey }) }));
  const byId = new Map(users.map((user) => [user.id, user]));
  const byName = new Map(users.map((user) => [user.username, user]));
  if (byId.size < users.length || byName.size < users.length) throw refuse('ids and user names must be unique');
  return { byId, byName };
}
