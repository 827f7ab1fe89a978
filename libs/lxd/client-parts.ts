import type { Duplex, Readable, Writable } from 'node:stream';
import type { CallOptions, LxdOperation } from './client.js';
import type { LxdImage, LxdPoolSpace, Versioned } from './types.js';

export interface LxdFile {
  readonly type: 'file' | 'symlink' | 'directory';
  /** A symlink's is its target; empty for a directory. */
  readonly content: Buffer;
  /** Names in a directory. */
  readonly entries: readonly string[];
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
}

export interface FileOwner {
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

/** Files of an instance, running or stopped. NOT_FOUND when the instance, the file or its folder is missing. */
export interface LxdFiles {
  get(instance: string, path: string, options?: CallOptions): Promise<LxdFile>;
  put(
    instance: string,
    path: string,
    file: FileOwner & { readonly content: string | Buffer | Readable },
    options?: CallOptions,
  ): Promise<void>;
  mkdir(instance: string, path: string, owner?: FileOwner, options?: CallOptions): Promise<void>;
  /** A directory must be empty. */
  delete(instance: string, path: string, options?: CallOptions): Promise<void>;
}

/** Every listener of LXD's events sees the command line: secrets belong in `input` or a file. */
export interface ExecRequest {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly user?: number;
  readonly group?: number;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface ExecSession {
  /** Ending it closes the command's stdin; without effect in a terminal (send ^D there). */
  readonly stdin: Writable;
  /** In a terminal: everything that it shows. */
  readonly stdout: Readable;
  /** In a terminal: ends at once. */
  readonly stderr: Readable;
  /** The exit code, 128 + n after a signal. INVALID_INPUT with reason command-not-found. */
  readonly exitCode: Promise<number>;
  resize(size: TerminalSize): void;
  /** Sends a signal by number to the command itself. */
  signal(number: number): void;
  /** SIGKILL, and the end of its streams. */
  kill(): void;
}

export interface LxdExec {
  /**
   * Runs a command with its streams attached; `signal` kills it. `timeoutMs` limits the beginning only. In a terminal LXD 5.0.2 drops what it has
   * not read when it notices the end of the command, often all of a short one's output (source, tried): a command whose output counts must outlive it.
   */
  open(instance: string, request: ExecRequest & { readonly terminal?: TerminalSize }, options?: CallOptions): Promise<ExecSession>;
  /** Runs a command to its end with `input` on stdin. It is killed when aborted or after `timeoutMs`. */
  run(
    instance: string,
    request: ExecRequest & { readonly input?: string | Buffer; readonly maxOutputBytes?: number },
    options?: CallOptions,
  ): Promise<ExecResult>;
  /** Runs a command without stdin or websockets; LXD keeps its output in log files, which are read and removed. */
  record(instance: string, request: ExecRequest, options?: CallOptions): Promise<ExecResult>;
}

export interface ConsoleSession {
  readonly stream: Duplex;
  resize(size: TerminalSize): void;
  close(): void;
  /** Settles when the console was closed or the instance stopped. */
  readonly ended: Promise<void>;
}

export interface LxdConsole {
  /** One at a time per container: a second one is told so in its data and ends. */
  attach(instance: string, size: TerminalSize, options?: CallOptions): Promise<ConsoleSession>;
  readLog(instance: string, options?: CallOptions): Promise<Buffer>;
  clearLog(instance: string, options?: CallOptions): Promise<void>;
}

export interface LxdLogs {
  list(instance: string, options?: CallOptions): Promise<string[]>;
  get(instance: string, file: string, options?: CallOptions): Promise<Buffer>;
  delete(instance: string, file: string, options?: CallOptions): Promise<void>;
}

export type ImageSource = { readonly unified: string } | { readonly metadata: string; readonly rootfs: string };

export interface LxdImageChanges {
  /** Uploads image files by path; the operation's metadata holds `fingerprint`. */
  import(
    source: ImageSource,
    options?: CallOptions & { readonly public?: boolean; readonly properties?: Readonly<Record<string, string>> },
  ): Promise<LxdOperation>;
  /**
   * Makes a private image of a stopped instance: its root file system and templates, not its config or snapshots; the aliases with it. The
   * operation's metadata holds `fingerprint`.
   */
  publish(
    instance: string,
    options: CallOptions & { readonly aliases: readonly string[]; readonly properties: Readonly<Record<string, string>> },
  ): Promise<LxdOperation>;
  delete(fingerprint: string, options?: CallOptions): Promise<LxdOperation>;
  /** The image with its ETag, for {@link patchProperties}. NOT_FOUND when there is none. */
  getVersioned(fingerprint: string, options?: CallOptions): Promise<Versioned<LxdImage>>;
  /** Adds properties or changes those given; others stay. With `etag`, STALE when the image changed since it was read. */
  patchProperties(
    fingerprint: string,
    properties: Readonly<Record<string, string>>,
    options?: CallOptions & { readonly etag?: string },
  ): Promise<void>;
  createAlias(name: string, target: string, options?: CallOptions & { readonly description?: string }): Promise<void>;
  /** Points an alias at another image. */
  updateAlias(name: string, target: string, options?: CallOptions & { readonly description?: string }): Promise<void>;
  deleteAlias(name: string, options?: CallOptions): Promise<void>;
}

export interface LxdStorage {
  /** The pool in which instances of these profiles have their root; of the last profile that says so, as LXD does. */
  rootPool(profiles: readonly string[], options?: CallOptions): Promise<string>;
  /** `member` of a cluster; the one that answers when absent. NOT_FOUND when there is no such pool. */
  space(pool: string, options?: CallOptions & { readonly member?: string }): Promise<LxdPoolSpace>;
}

export interface LxdCertificate {
  readonly fingerprint: string;
  readonly name: string;
  readonly type: string;
  readonly restricted: boolean;
  readonly projects: readonly string[];
}

export interface CertificateScope {
  readonly name: string;
  /** When given, the client sees only these projects. */
  readonly projects?: readonly string[];
}

export interface LxdCertificates {
  list(options?: CallOptions): Promise<LxdCertificate[]>;
  /** Trusts a client certificate, given as PEM. CONFLICT when it is trusted already. */
  add(certificate: CertificateScope & { readonly pem: string }, options?: CallOptions): Promise<void>;
  delete(fingerprint: string, options?: CallOptions): Promise<void>;
  /** A one-time trust token in the form that `lxc remote add` takes. A secret. */
  createToken(scope: CertificateScope, options?: CallOptions): Promise<string>;
}
