import { spawn } from 'node:child_process';
import { PlatformError } from '#libs/errors/platform-error.js';

/** The programs of Debian by which this project looks at the kernel's network and changes it. */
export type Program = 'nft' | 'conntrack' | 'ip' | 'bridge' | 'sysctl' | 'arping' | 'dnsmasq' | 'wg' | 'wireguard-go' | 'ndisc6';

/** Runs a program to its end and gives its output. @throws PlatformError UNAVAILABLE when it fails, is missing or exceeds the deadline. */
export type RunTool = (program: Program, args: readonly string[], input?: string) => Promise<string>;

const DEADLINE_MS = 20_000;

/** Programs of this machine, in the network namespace of this process; `inside` leads to another one. */
export function localTools(inside: readonly string[] = []): RunTool {
  return (program, args, input = '') => {
    const [command = program, ...rest] = [...inside, program, ...args];
    return new Promise((resolve, reject) => {
      const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], timeout: DEADLINE_MS, killSignal: 'SIGKILL' });
      const failed = (why: string, cause?: unknown) =>
        reject(new PlatformError('UNAVAILABLE', `${program} failed: ${why}`, { details: { output: why }, cause }));
      let output = '';
      let errors = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        errors += text;
      });
      child.once('error', (error) => failed(error.message, error));
      child.once('close', (code) => (code === 0 ? resolve(output) : failed(errors.trim().slice(0, 500) || `exit ${code}`)));
      // A program that ends without reading its input is judged by its exit code.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
  };
}
