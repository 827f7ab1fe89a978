import { Duplex, type Readable } from 'node:stream';
import type { WebSocket } from 'ws';

interface FrameOptions {
  /** Called when LXD says that its side has ended. */
  readonly onEof?: () => void;
  /** How a stream that is destroyed leaves the socket; it is cut unless this says otherwise. */
  readonly leave?: () => void;
  /** Whether ending the stream is told to LXD. */
  readonly sendEof: boolean;
}

/**
 * A websocket of LXD as a stream with back-pressure: data are binary frames, an empty text frame is EOF in both directions, and it ends
 * without a close frame (1006), which is no error (LXD 5.0.2, tried).
 */
export function frameStream(socket: WebSocket, { onEof, sendEof, leave = () => socket.terminate() }: FrameOptions): Duplex {
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    stream.push(null);
    // A paused socket would never see its own end.
    socket.resume();
  };
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => send(socket, chunk, done),
    final: (done) => (sendEof ? send(socket, '', done) : done()),
    destroy: (error, done) => {
      leave();
      done(error);
    },
  });
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary && data.length === 0) {
      end();
      onEof?.();
    } else if (!ended && !stream.push(data)) socket.pause();
  });
  socket.on('close', end);
  return stream;
}

function send(socket: WebSocket, data: Buffer | string, done: (error?: Error | null) => void): void {
  // The command may end before it has read everything; that is for its exit code to tell.
  if (socket.readyState !== socket.OPEN) done();
  else socket.send(data, { binary: typeof data !== 'string' }, () => done());
}

/** All of a stream; rejects when it grows beyond the limit. */
export async function collect(stream: Readable, maxBytes: number, tooLong: () => Error): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
