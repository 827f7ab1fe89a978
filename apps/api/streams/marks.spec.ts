import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Marks, withoutMarks } from './marks.js';

const mark = (value: number | string) => Buffer.from(`\u001eid-1 ${value}\u001e`);

async function readAll(chunks: readonly Buffer[]): Promise<{ data: Buffer; code: number | undefined; pid: number | undefined }> {
  const seen = new Marks('id-1');
  const parts: Buffer[] = [];
  for await (const part of withoutMarks(
    (async function* () {
      yield* chunks;
    })(),
    seen,
  ))
    parts.push(part);
  return { data: Buffer.concat(parts), code: seen.code, pid: seen.pid };
}

function cut(data: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(data.subarray(at, at + size));
    at += size;
  }
  return [...chunks, data.subarray(at)];
}

const almostMarks = fc
  .array(fc.oneof(fc.constantFrom('\u001e', '\u001eid-1', '\u001eid-11 ', 'id-1 7\u001e', '\u001eid-2 3\u001e'), fc.string()))
  .map((parts) => Buffer.from(parts.join('')))
  // Whatever else it holds, not the mark itself.
  .filter((data) => !data.includes('\u001eid-1 '));
const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 });

test('however the output is cut, all before the mark is passed on and the code is told', async () => {
  await fc.assert(
    fc.asyncProperty(almostMarks, sizes, fc.integer({ min: 0, max: 255 }), async (data, at, code) => {
      const whole = Buffer.concat([mark('pid 42'), data, mark(code), Buffer.from('late')]);
      expect(await readAll(cut(whole, at))).toEqual({ data, code, pid: 42 });
    }),
  );
});

test('output without a mark is passed on whole', async () => {
  await fc.assert(
    fc.asyncProperty(almostMarks, sizes, async (data, at) => {
      expect(await readAll(cut(data, at))).toEqual({ data, code: undefined, pid: undefined });
    }),
  );
});
