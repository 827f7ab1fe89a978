/** What a terminal showed, and how it ended. */
export interface Terminal {
  readonly output: string;
  readonly exitCode: number;
}

export interface SimpleResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Of root's shell in the lab's containers. */
export const PROMPT = /# /;

/** What is typed once the output shows something. */
export interface Typed {
  readonly after: RegExp;
  readonly text: string;
}

/** Every command of the original's CLI that asks the platform for something. A refusal is an Error with the original's message. */
export interface V1Client {
  readonly name: string;
  /** Whether it sends `false` and `0` as values: the original's CLI leaves them out. */
  readonly sendsZeroValues: boolean;
  login(username: string, password: string): Promise<void>;
  info(): Promise<{ readonly username: string }>;
  images(): Promise<readonly { readonly aliases: readonly { readonly name: string }[]; readonly fingerprint: string }[]>;
  /** `ssh` gives a forward to port 22. */
  init(image: string, options?: { readonly password?: string; readonly ssh?: boolean }): Promise<void>;
  status(): Promise<{ readonly running: boolean }>;
  config(): Promise<{ readonly startupDelay: number; readonly httpPort: number; readonly sniPassthrough: boolean }>;
  configSet(property: string, value: string | number | boolean): Promise<void>;
  domains(): Promise<readonly string[]>;
  addDomain(domain: string): Promise<void>;
  removeDomain(domain: string): Promise<void>;
  ports(): Promise<Readonly<Record<string, number>>>;
  /** Gives the external port. */
  addPort(internal: number, external?: number): Promise<number>;
  removePort(external: number): Promise<void>;
  boot(): Promise<void>;
  reboot(): Promise<void>;
  shutdown(): Promise<void>;
  sync(): Promise<void>;
  log(): Promise<string>;
  clearLog(): Promise<void>;
  /** In a terminal of that size. */
  exec(command: readonly string[], options?: { readonly size?: Size; readonly typed?: Typed }): Promise<Terminal>;
  execSimple(command: readonly string[]): Promise<SimpleResult>;
  /** Types a line into the console's shell and detaches once the output matches. */
  console(input: string, until: RegExp): Promise<string>;
  delete(): Promise<void>;
}
