import type { Logger } from 'pino';

const LINE = /^time="[^"]*" level=(\w+) msg="((?:[^"\\]|\\.)*)"(.*)$/;
const LEVELS = { debug: 'debug', info: 'info', warning: 'warn', error: 'error', fatal: 'fatal', panic: 'fatal', trace: 'trace' } as const;

/** A line of LXD's log as one of ours: its level, its message, and what else it says. One that has another form is given on as it is. */
export function logOfLxd(log: Logger): (line: string) => void {
  const ofLxd = log.child({ from: 'lxd' });
  return (line) => {
    const [, level = '', message = '', rest = ''] = LINE.exec(line) ?? [];
    const ours = LEVELS[level as keyof typeof LEVELS];
    if (ours === undefined) return ofLxd.info(line);
    ofLxd[ours](rest.trim() === '' ? {} : { more: rest.trim() }, message.replace(/\\(.)/g, '$1'));
  };
}
