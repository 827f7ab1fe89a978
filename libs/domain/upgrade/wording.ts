import type { Build, Versions } from './observed.js';

/** Names as people count them: `lxd-2` before `lxd-10`. */
export function byName(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true }) || (a < b ? -1 : Number(a > b));
}

export function sortedByName<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => byName(nameOf(a), nameOf(b)));
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** `schema 60, 318 API extensions`. */
export function versionsText({ schema, apiExtensions }: Versions): string {
  return `schema ${schema}, ${apiExtensions} API extensions`;
}

export function buildText({ image, environment }: Build): string {
  const variables = sortedByName(Object.entries(environment), ([key]) => key).map(([key, value]) => `${key}=${value}`);
  return variables.length === 0 ? image : `${image} with ${listed(variables)}`;
}

export function sameBuild(a: Build, b: Build): boolean {
  return buildText(a) === buildText(b);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

/** `45 s`, `12 min`, `3.5 h`, `7 days`: as exact as somebody who waits wants it. */
export function secondsText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 360) / 10} h` : `${Math.round(seconds / 8640) / 10} days`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
