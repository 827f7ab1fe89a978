import { connect, type Socket } from 'node:net';

export interface Target {
  readonly address: string;
  readonly port: number;
}

const ATTEMPT_EVERY_MS = 25;
const ATTEMPT_LIVES_MS = 1_000;
const KEEP_ALIVE_MS = 1_000;

/**
 * The first connection that the port accepts before the deadline (epoch milliseconds; there is always one attempt, of a second at most);
 * undefined when there is none. It may be half closed (`allowHalfOpen`). Attempts overlap: one whose first packet was lost while the address
 * came up would itself try again only after a second.
 */
export function dialUntil(
  { address, port }: Target,
  deadline: number,
  signal: AbortSignal,
  { onRefused }: { readonly onRefused?: () => void } = {},
): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const sockets = new Set<Socket>();
    let timer: NodeJS.Timeout | undefined;
    let last = false;
    const end = (answer?: Socket) => {
      clearInterval(timer);
      signal.removeEventListener('abort', abort);
      for (const socket of sockets) if (socket !== answer) socket.destroy();
      answer?.setTimeout(0);
      resolve(answer);
    };
    const abort = () => end();
    const attempt = () => {
      last = Date.now() >= deadline;
      if (last) clearInterval(timer);
      const socket = connect({
        ...{ host: address, port, timeout: ATTEMPT_LIVES_MS, allowHalfOpen: true },
        // A container that is gone with its network tells nobody.
        ...{ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      });
      sockets.add(socket);
      // Refused or unreachable is what a container that boots answers.
      const fail = (error?: NodeJS.ErrnoException) => {
        socket.destroy();
        if (error?.code === 'ECONNREFUSED') onRefused?.();
      };
      const gone = () => {
        sockets.delete(socket);
        if (last && sockets.size === 0) end();
      };
      socket.once('error', fail).once('timeout', fail).once('close', gone);
      socket.once('connect', () => {
        socket.off('error', fail).off('timeout', fail).off('close', gone);
        end(socket);
      });
    };
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener('abort', abort);
    timer = setInterval(attempt, ATTEMPT_EVERY_MS);
    attempt();
  });
}

/** Waits until something at the address accepts or refuses a TCP connection to the port: its network is up then. False at the deadline. */
export async function addressAnswers(target: Target, deadline: number): Promise<boolean> {
  const refused = new AbortController();
  const socket = await dialUntil(target, deadline, refused.signal, { onRefused: () => refused.abort() });
  socket?.destroy();
  return socket !== undefined || refused.signal.aborted;
}
