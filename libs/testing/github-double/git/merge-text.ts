interface Region {
  readonly start: number;
  readonly end: number;
  readonly lines: readonly string[];
}

/** What three texts become together, line by line; undefined when both sides changed the same or neighbouring lines. Each side counts as one region. */
export function mergeText(base: string, ours: string, theirs: string): string | undefined {
  if (ours === theirs || theirs === base) return ours;
  if (ours === base) return theirs;
  const lines = base.split('\n');
  const [first, second] = [changed(lines, ours.split('\n')), changed(lines, theirs.split('\n'))].sort((a, b) => a.start - b.start);
  if (!first || !second || second.start <= first.end) return undefined;
  return [
    ...lines.slice(0, first.start),
    ...first.lines,
    ...lines.slice(first.end, second.start),
    ...second.lines,
    ...lines.slice(second.end),
  ].join('\n');
}

function changed(base: readonly string[], side: readonly string[]): Region {
  let start = 0;
  while (start < base.length && start < side.length && base[start] === side[start]) start += 1;
  let end = 0;
  while (end < base.length - start && end < side.length - start && base.at(-1 - end) === side.at(-1 - end)) end += 1;
  return { start, end: base.length - end, lines: side.slice(start, side.length - end) };
}
