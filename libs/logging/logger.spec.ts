import { describe, expect, test } from '@jest/globals';
import { createLogger } from './logger.js';

function linesOf(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ name: 'test', level: 'debug', destination: { write: (line: string) => lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

describe('the logger', () => {
  test('writes one JSON object per line with level, ISO time and the fields of its parents', () => {
    const [line] = linesOf((logger) => logger.child({ requestId: 'r1' }).child({ workflowId: 'create:ws-u1:2' }).info('made'));
    expect(line).toMatchObject({ level: 'info', name: 'test', msg: 'made', requestId: 'r1', workflowId: 'create:ws-u1:2' });
    expect(Date.parse(String(line?.['time']))).not.toBeNaN();
  });

  test('leaves out secrets by key, also inside other objects', () => {
    const [line] = linesOf((logger) =>
      logger.info({ password: 'p-1', req: { headers: { authorization: 'Basic a-1', 'set-cookie': 'c-1' } }, input: { sealed: 's-1' } }),
    );
    expect(JSON.stringify(line)).not.toMatch(/p-1|a-1|c-1|s-1/);
  });

  test('removes tokens from messages and errors', () => {
    const lines = linesOf((logger) => {
      logger.info(`caller sent ${JWT}`);
      logger.error({ err: new Error(`header was Bearer abcdefgh12345678`) }, 'failed');
    });
    expect(JSON.stringify(lines)).not.toMatch(/eyJ|abcdefgh12345678/);
    expect(lines[1]).toMatchObject({ err: { message: 'header was Bearer [redacted]' } });
  });
});
