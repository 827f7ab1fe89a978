import semver from 'semver';
import { byText } from './order.js';

const MAX_TAG_CHARACTERS = 200;
const IMAGE = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/;
/** The parser itself also takes blanks and a leading `v` or `=`. */
const VERSION_CHARACTERS = /^[0-9][0-9A-Za-z.+-]*$/;

/** The name of an image and its semver without the `v`. */
export interface ImageTag {
  readonly image: string;
  readonly version: string;
}

/** A tag `<image>/v<semver>`, or undefined for any other. The image's name may hold slashes. */
export function parseTag(tag: string): ImageTag | undefined {
  const at = tag.lastIndexOf('/v');
  const image = tag.slice(0, at);
  const version = tag.slice(at + 2);
  if (at <= 0 || tag.length > MAX_TAG_CHARACTERS || !isImageName(image) || !isVersion(version)) return undefined;
  return { image, version };
}

export function isImageName(name: string): boolean {
  return name.length <= MAX_TAG_CHARACTERS && IMAGE.test(name);
}

/** Strict semver 2.0 without `v`. */
export function isVersion(version: string): boolean {
  return VERSION_CHARACTERS.test(version) && semver.parse(version) !== null;
}

/** A total order of what `isVersion` takes: semver's, then build metadata, then the text. */
export function compareVersions(a: string, b: string): number {
  return semver.compareBuild(a, b) || byText(a, b);
}

/** In the order of `compareVersions`, each version parsed once. */
export function byVersion<T>(values: Iterable<T>, versionOf: (value: T) => string): T[] {
  const parsed = Array.from(values, (value) => ({ value, text: versionOf(value), version: new semver.SemVer(versionOf(value)) }));
  return parsed
    .sort((a, b) => a.version.compare(b.version) || a.version.compareBuild(b.version) || byText(a.text, b.text))
    .map(({ value }) => value);
}
