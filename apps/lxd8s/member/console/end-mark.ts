/** Gives on what comes, until the mark, which may come in pieces: `ended` is called then, and what follows is nobody's. */
export function untilMark(mark: string, give: (bytes: Buffer) => void, ended: () => void): (bytes: Buffer) => void {
  const wanted = Buffer.from(mark);
  let held = Buffer.alloc(0);
  let over = false;
  return (bytes) => {
    if (over) return;
    const all = Buffer.concat([held, bytes]);
    const at = all.indexOf(wanted);
    if (at !== -1) {
      over = true;
      give(all.subarray(0, at));
      return ended();
    }
    const kept = beginning(wanted, all);
    held = all.subarray(all.length - kept);
    give(all.subarray(0, all.length - kept));
  };
}

/** How much of its end may be the beginning of the mark. */
function beginning(mark: Buffer, bytes: Buffer): number {
  for (let length = Math.min(mark.length - 1, bytes.length); length > 0; length -= 1) {
    if (mark.subarray(0, length).equals(bytes.subarray(bytes.length - length))) return length;
  }
  return 0;
}
