import { canBeHost } from '#libs/domain/names.js';
import { type WebspaceRecord, withUsername } from '#libs/domain/record.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Directory } from '#libs/identity/identity.js';
import type { Logger } from '#libs/logging/logger.js';

const KNOWN_MS = 300_000;
const UNKNOWN_MS = 10_000;

interface Answer {
  readonly username: string | undefined;
  readonly until: number;
}

/** Whose webspaces are whose records hold an account id and no user name, as those of the original do: the identity service is asked. */
export class Owners {
  readonly #directory: Pick<Directory, 'byId'> | undefined;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #now: () => number;
  readonly #answers = new Map<string, Answer>();

  constructor(directory: Pick<Directory, 'byId'> | undefined, log: Pick<Logger, 'warn'>, now: () => number = Date.now) {
    this.#directory = directory;
    this.#log = log;
    this.#now = now;
  }

  /**
   * The record with its owner's user name, if there is an account of that id whose name can be a host name. A service that is away changes nothing:
   * what it said last is believed, and who was never named stays unknown.
   */
  async named(record: WebspaceRecord): Promise<WebspaceRecord> {
    if (record.owner.username !== undefined) return record;
    const username = await this.#usernameOf(record.owner.id);
    return username === undefined ? record : withUsername(record, username);
  }

  async #usernameOf(id: string): Promise<string | undefined> {
    const known = this.#answers.get(id);
    if (!this.#directory || (known && known.until > this.#now())) return known?.username;
    try {
      const found = (await this.#directory.byId(id))?.username;
      const username = found !== undefined && canBeHost(found) ? found : undefined;
      this.#answers.set(id, { username, until: this.#now() + (username === undefined ? UNKNOWN_MS : KNOWN_MS) });
      return username;
    } catch (error) {
      this.#log.warn({ account: id, error: messageOf(error) }, 'the identity service does not tell whose webspace it is');
      this.#answers.set(id, { username: known?.username, until: this.#now() + UNKNOWN_MS });
      return known?.username;
    }
  }
}
