import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { type ConfigRequest, readConfig } from './load.js';
import { parseArguments } from './sources.js';

/**
 * A configuration that is taken over while the process runs: what it is now, each time it is asked. The file is read, and worked on only when its
 * text is another. @throws ConfigError as {@link readConfig}, until the file can be used.
 */
export function configOfFile<S extends z.ZodType>(
  request: ConfigRequest<S>,
  first: DeepReadonly<z.output<S>>,
): () => DeepReadonly<z.output<S>> {
  const { configFile } = parseArguments(request.argv, []);
  let text: string | undefined;
  let last: (() => DeepReadonly<z.output<S>>) | undefined;
  return () => {
    const now = textOf(configFile);
    // It may have changed since the first one was read.
    if (last && now === text) return last();
    text = now;
    last = read(request, first);
    return last();
  };
}

function read<S extends z.ZodType>(request: ConfigRequest<S>, first: DeepReadonly<z.output<S>>): () => DeepReadonly<z.output<S>> {
  try {
    const answer = readConfig(request);
    const config = answer.kind === 'config' ? answer.config : first;
    return () => config;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function textOf(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, 'utf8');
  } catch {
    // Why is told when it is worked on.
    return undefined;
  }
}
