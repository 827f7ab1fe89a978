/** Begins and ends a mark: no text holds it. The shell's `printf` writes it as `\036`. */
const SEPARATOR = 0x1e;

/** Takes the marks out of the output of a guarded command: its guard says in them its own process id, and how the command has ended. */
export class Marks {
  readonly #beginning: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #pid: number | undefined;
  #code: number | undefined;

  constructor(id: string) {
    this.#beginning = Buffer.concat([Buffer.of(SEPARATOR), Buffer.from(`${id} `)]);
  }

  /** The guard's process id in the container. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** The exit code, once the command has ended and all that it wrote was seen. */
  get code(): number | undefined {
    return this.#code;
  }

  /** What of the output so far may be passed on; a possible beginning of a mark is held back. Nothing counts after the end. */
  push(chunk: Buffer): Buffer {
    const passed: Buffer[] = [];
    let data = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = Buffer.alloc(0);
    while (data.length > 0 && this.#code === undefined) {
      const { before, value, after } = this.#cut(data);
      passed.push(before);
      if (value !== undefined) this.#read(value);
      data = after;
    }
    return passed.length === 1 ? (passed[0] as Buffer) : Buffer.concat(passed);
  }

  /** What was held back although no mark came. */
  rest(): Buffer {
    return this.#held;
  }

  #cut(data: Buffer): { readonly before: Buffer; readonly value?: string; readonly after: Buffer } {
    const found = data.indexOf(this.#beginning);
    const end = found < 0 ? -1 : data.indexOf(SEPARATOR, found + this.#beginning.length);
    if (end >= 0) {
      const value = data.subarray(found + this.#beginning.length, end).toString('latin1');
      return { before: data.subarray(0, found), value, after: data.subarray(end + 1) };
    }
    const at = found < 0 ? beginningAtEnd(data, this.#beginning) : found;
    this.#held = data.subarray(at);
    return { before: data.subarray(0, at), after: Buffer.alloc(0) };
  }

  #read(value: string): void {
    if (value.startsWith('pid ')) this.#pid = Number(value.slice('pid '.length));
    else this.#code = Number(value);
  }
}

/** Where the longest end of the data begins that a mark could begin with; the data's length when there is none. */
function beginningAtEnd(data: Buffer, beginning: Buffer): number {
  for (let at = Math.max(0, data.length - beginning.length + 1); at < data.length; at++) {
    if (data[at] === SEPARATOR && beginning.subarray(0, data.length - at).equals(data.subarray(at))) return at;
  }
  return data.length;
}

/** A stream without its marks, until the last of them; leaving it ends the stream. */
export async function* withoutMarks(stream: AsyncIterable<Buffer>, marks: Marks): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    const data = marks.push(chunk);
    if (data.length > 0) yield data;
    if (marks.code !== undefined) return;
  }
  if (marks.rest().length > 0) yield marks.rest();
}
