import type { CannedResult } from './world.js';

/** The few commands that the double can run without stdin being read first; undefined for an unknown one. */
export function runCommand(command: readonly string[], stdin: string): CannedResult | undefined {
  const [name = '', ...args] = command;
  switch (name) {
    case 'true':
      return { exitCode: 0 };
    case 'false':
      return { exitCode: 1 };
    case 'cat':
      return { exitCode: 0, stdout: stdin };
    case 'echo':
      return { exitCode: 0, stdout: `${args.join(' ')}\n` };
    case 'sh':
      return args[0] === '-c' ? script(args[1] ?? '', stdin) : script(stdin.replaceAll('\n', ';'), '');
    default:
      return undefined;
  }
}

/** `echo a; echo b >&2; cat; exit 3`; what else it says is ignored. */
function script(text: string, stdin: string): CannedResult {
  let stdout = '';
  let stderr = '';
  for (const step of text.split(';').map((each) => each.trim())) {
    if (step === 'cat') stdout += stdin;
    const exit = /^exit (\d+)$/.exec(step);
    if (exit) return { exitCode: Number(exit[1]), stdout, stderr };
    const echo = /^echo (.*?)( >&2)?$/.exec(step);
    if (echo?.[2]) stderr += `${echo[1]}\n`;
    else if (echo) stdout += `${echo[1]}\n`;
  }
  return { exitCode: 0, stdout, stderr };
}
