import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { StreamClient } from '../stream-client.js';
import { PROMPT, type SimpleResult, type Size, type Terminal, type Typed, type V1Client } from './v1-client.js';

export interface Urls {
  readonly iam: string;
  readonly webspaced: string;
}

const RETYPE_MS = 1_500;
const SIZE: Size = { width: 80, height: 24 };

/** Requests of exactly the form in which the original's CLI (and its generated client) sends them. */
export class WireClient implements V1Client {
  readonly name = 'requests of its form';
  readonly sendsZeroValues = true;
  #token = '';

  constructor(private readonly urls: Urls) {}

  async login(username: string, password: string): Promise<void> {
    this.#token = (await this.#ask<{ token: string }>('POST', `${this.urls.iam}/users/${username}/login`, { password })).token;
  }

  info = () => this.#ask<{ username: string }>('GET', `${this.urls.iam}/users/self`);
  images = () => this.#ask<Awaited<ReturnType<V1Client['images']>>>('GET', `${this.urls.webspaced}/images`);

  async init(image: string, { password = '', ssh = false }: { password?: string; ssh?: boolean } = {}): Promise<void> {
    // The generated client leaves out what is empty.
    await this.#self('POST', '', { image, ...(password ? { password } : {}), ...(ssh ? { ssh } : {}) });
  }

  status = () => this.#self<{ running: boolean }>('GET', '/state');
  config = () => this.#self<Awaited<ReturnType<V1Client['config']>>>('GET', '/config');
  configSet = async (property: string, value: string | number | boolean) =>
    void (await this.#self('PATCH', '/config', { [property]: value }));
  domains = () => this.#self<string[]>('GET', '/domains');
  addDomain = async (domain: string) => void (await this.#self('POST', `/domains/${encodeURIComponent(domain)}`));
  removeDomain = async (domain: string) => void (await this.#self('DELETE', `/domains/${encodeURIComponent(domain)}`));
  ports = () => this.#self<Record<string, number>>('GET', '/ports');

  async addPort(internal: number, external = 0): Promise<number> {
    if (external === 0) return (await this.#self<{ ePort: number }>('POST', `/ports/${internal}`)).ePort;
    await this.#self('POST', `/ports/${external}/${internal}`);
    return external;
  }

  removePort = async (external: number) => void (await this.#self('DELETE', `/ports/${external}`));
  boot = async () => void (await this.#self('POST', '/state'));
  reboot = async () => void (await this.#self('PUT', '/state'));
  shutdown = async () => void (await this.#self('DELETE', '/state'));
  sync = async () => void (await this.#self('PATCH', '/state'));
  log = async () => (await this.#answer('GET', `${this.urls.webspaced}/webspace/self/log`)).body;
  clearLog = async () => void (await this.#self('DELETE', '/log'));
  execSimple = (command: readonly string[]) => this.#self<SimpleResult>('POST', '/exec', { command: command.join(' ') });
  delete = async () => void (await this.#self('DELETE', ''));

  async exec(command: readonly string[], { size = SIZE, typed }: { size?: Size; typed?: Typed } = {}): Promise<Terminal> {
    const terminal = await this.#stream('exec');
    terminal.say({ command, environment: { TERM: 'xterm' }, ...size });
    if (typed) {
      await terminal.shows(typed.after);
      terminal.type(typed.text);
    }
    const { code, reason } = await terminal.closed;
    if (code !== 1000) throw new Error(reason);
    return { output: terminal.output, exitCode: Number(reason) };
  }

  async console(input: string, until: RegExp): Promise<string> {
    const terminal = await this.#stream('console');
    terminal.say(SIZE);
    // Who types before the shell reads is not heard.
    let typedAt = 0;
    const prompted = async () => {
      if (PROMPT.test(terminal.output)) return true;
      if (Date.now() - typedAt > RETYPE_MS) {
        typedAt = Date.now();
        terminal.type('\r');
      }
      return false;
    };
    await waitFor('the prompt of the console', prompted, { timeoutMs: 30_000, intervalMs: 20 });
    terminal.type(`${input}\r`);
    await terminal.shows(until);
    terminal.socket.close(1000, 'Stream shutting down');
    await terminal.closed;
    return terminal.output;
  }

  #stream(endpoint: 'console' | 'exec'): Promise<StreamClient> {
    const headers = { authorization: `Bearer ${this.#token}` };
    return StreamClient.open(`${this.urls.webspaced}/webspace/self/${endpoint}`, { headers });
  }

  #self<T>(method: string, path: string, body?: object): Promise<T> {
    return this.#ask<T>(method, `${this.urls.webspaced}/webspace/self${path}`, body);
  }

  async #ask<T>(method: string, url: string, body?: object): Promise<T> {
    const answer = await this.#answer(method, url, body);
    return (answer.body === '' ? undefined : answer.json<T>()) as T;
  }

  async #answer(method: string, url: string, body?: object) {
    const headers = this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` };
    const answer = await http(url, { method, headers, timeoutMs: 90_000, ...(body === undefined ? {} : { body }) });
    if (answer.status >= 300) throw new Error(answer.json<{ message: string }>().message);
    return answer;
  }
}
