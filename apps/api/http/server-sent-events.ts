import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { PlatformError } from '#libs/errors/platform-error.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';

const HEARTBEAT_MS = 15_000;
/** A client that reads slower than this is dropped. */
const MAX_BUFFERED_BYTES = 1_000_000;

export interface EventSink {
  send(event: { readonly name: string; readonly data: unknown; readonly id?: string | number }): void;
  end(): void;
}

/** Streams of server-sent events: as many as the configuration allows, with heartbeats, and none for clients that do not read. */
@Injectable()
export class ServerSentEvents {
  #open = 0;

  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  /** @throws PlatformError UNAVAILABLE when too many are open. */
  assertRoom(): void {
    if (this.#open >= this.deps.config.limits.eventStreams)
      throw new PlatformError('UNAVAILABLE', 'Too many event streams are open. Try again shortly.');
  }

  /** Begins the answer; `onClose` is called when it has ended, whoever ended it. @throws PlatformError UNAVAILABLE when too many are open. */
  open(reply: FastifyReply, onClose: () => void): EventSink {
    this.assertRoom();
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { ...headersOf(reply), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    // The answer's head goes out at once, also when there is nothing to tell yet.
    raw.flushHeaders();
    this.#open++;
    this.deps.metrics.eventStreams(1);
    const write = (text: string) => {
      if (raw.writableLength > MAX_BUFFERED_BYTES) raw.destroy();
      else raw.write(text);
    };
    const heartbeat = setInterval(() => write(': still there\n\n'), HEARTBEAT_MS).unref();
    raw.once('close', () => {
      clearInterval(heartbeat);
      this.#open--;
      this.deps.metrics.eventStreams(-1);
      onClose();
    });
    return {
      send: ({ id, name, data }) => write(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`),
      end: () => raw.end(),
    };
  }
}

function headersOf(reply: FastifyReply): Record<string, string | number | string[]> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
