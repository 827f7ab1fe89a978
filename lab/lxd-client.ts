import { type HttpRequest, httpOverSocket } from './http.js';

export interface LxdAnswer<T> {
  readonly type: 'sync' | 'async' | 'error';
  readonly error?: string;
  readonly error_code?: number;
  readonly metadata: T;
}

export class LxdError extends Error {
  override readonly name = 'LxdError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Status codes of operations (LXD, doc/rest-api.md). */
const [RUNNING, SUCCESS] = [103, 200];
const WAIT_SECONDS = 30;
/** A machine without KVM takes minutes for what others do in a second. */
const OPERATION_MS = 300_000;

/** The few calls that prepare a fresh LXD, over its socket. Answers to operations are waited for. */
export class LxdClient {
  constructor(private readonly socket: string) {}

  async request<T>(method: string, path: string, options: Omit<HttpRequest, 'method'> = {}): Promise<T> {
    const answer = await httpOverSocket(this.socket, path, { timeoutMs: 60_000, ...options, method });
    const parsed = answer.json<LxdAnswer<T & { id?: string }>>();
    if (parsed.type === 'error') throw new LxdError(parsed.error_code ?? answer.status, `LXD: ${method} ${path}: ${parsed.error}`);
    return parsed.type === 'async' ? this.operation<T>(String(parsed.metadata.id)) : parsed.metadata;
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.request('GET', path);
      return true;
    } catch (error) {
      if (error instanceof LxdError && error.status === 404) return false;
      throw error;
    }
  }

  private async operation<T>(id: string): Promise<T> {
    const deadline = Date.now() + OPERATION_MS;
    for (;;) {
      // The wait answers 200 also when the operation failed, or goes on; its status decides.
      const now = await this.request<{ status_code: number; err: string; metadata: T }>(
        'GET',
        `/1.0/operations/${id}/wait?timeout=${WAIT_SECONDS}`,
      );
      if (now.status_code === SUCCESS) return now.metadata;
      if (now.status_code !== RUNNING) throw new LxdError(500, `LXD: operation failed: ${now.err}`);
      if (Date.now() > deadline) throw new LxdError(504, `LXD: operation ${id} has not ended within ${OPERATION_MS / 1000} s`);
    }
  }
}
