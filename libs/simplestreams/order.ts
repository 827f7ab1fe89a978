/** Order by code units: the same on every machine, and the order in which Go compares strings of ASCII. */
export function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
