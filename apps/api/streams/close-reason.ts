/** A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;
const CUT = '…';

/** A text as the reason of a close frame: never longer than it may be, never ending within a character; one that was cut ends with `…`. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_BYTES) return text;
  let room = MAX_REASON_BYTES - Buffer.byteLength(CUT);
  let kept = '';
  for (const character of text) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return kept + CUT;
}
