import { byText } from './order.js';
import { byVersion } from './tags.js';

/**
 * Keys of versions in a products document, by version: `YYYYMMDD_v<semver>` with the day of creation in UTC. LXD takes the newest day and, within it, the
 * greatest key as a text; where texts of one day would not sort as their versions do (`v1.10.0` before `v1.9.0`), that day's keys are
 * `YYYYMMDD_<place>_v<semver>`.
 */
export function serialsOf(created: ReadonlyMap<string, number>): Map<string, string> {
  const days = new Map<string, string[]>();
  for (const [version, seconds] of created) {
    const day = dayOf(seconds).replaceAll('-', '');
    const versions = days.get(day) ?? [];
    days.set(day, versions);
    versions.push(version);
  }
  const serials = new Map<string, string>();
  for (const [day, unsorted] of days) {
    const versions = byVersion(unsorted, (version) => version);
    const plain = versions.every((version, at) => at === 0 || byText(versions[at - 1] as string, version) < 0);
    const digits = String(versions.length).length;
    versions.forEach((version, at) => {
      const place = plain ? '' : `${String(at + 1).padStart(digits, '0')}_`;
      serials.set(version, `${day}_${place}v${version}`);
    });
  }
  return serials;
}

/** `YYYY-MM-DD` in UTC. */
export function dayOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
