/** Where the lab says what it is doing. */
export interface Progress {
  /** Runs one step and says when it ended and how long it took. */
  step<T>(what: string, work: () => Promise<T>): Promise<T>;
  note(text: string): void;
}

export const silent: Progress = { step: (_what, work) => work(), note: () => undefined };

const colours = process.stdout.isTTY && !process.env['NO_COLOR'];
const paint = (code: number, text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = (text: string) => paint(1, text);
export const dim = (text: string) => paint(2, text);
export const green = (text: string) => paint(32, text);
export const red = (text: string) => paint(31, text);
export const cyan = (text: string) => paint(36, text);

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Progress as lines on the terminal, each with the time since the start. */
export function progressOnTerminal(startedAt: number): Progress {
  const line = (mark: string, text: string) => {
    console.log(`${dim(seconds(Date.now() - startedAt).padStart(8))}  ${mark} ${text}`);
  };
  return {
    note: (text) => line(dim('·'), text),
    step: async (what, work) => {
      const begin = Date.now();
      try {
        const result = await work();
        const outcome = typeof result === 'string' && result ? `, ${result}` : '';
        line(green('✓'), `${what}${outcome} ${dim(`(${seconds(Date.now() - begin)})`)}`);
        return result;
      } catch (error) {
        line(red('✗'), what);
        throw error;
      }
    },
  };
}
