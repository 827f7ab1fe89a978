import { evidenceOf } from './image-evidence.js';

/** What LXD knows of an image, as far as it decides whether the image stays. */
export interface KeptImage {
  readonly fingerprint: string;
  readonly aliases: readonly { readonly name: string }[];
  readonly properties: Readonly<Record<string, string>>;
  readonly cached: boolean;
  readonly uploaded_at: string;
  readonly last_used_at: string;
}

const DAY_MS = 86_400_000;
/** Of the cached images a round removes at most this part, and five always. */
const SHARE = 0.02;
const ALWAYS = 5;

/**
 * The versions of an alias that may go: imported for it, older than the last `keep`, and nobody's. The image that the alias names counts as one
 * of those that stay, whenever it was imported.
 */
export function oldVersionsOf(
  alias: string,
  images: readonly KeptImage[],
  { keep, inUse }: { readonly keep: number; readonly inUse: ReadonlySet<string> },
): KeptImage[] {
  const present = images.find(({ aliases }) => aliases.some(({ name }) => name === alias));
  const others = images
    .filter((image) => image !== present && evidenceOf(image)?.alias === alias)
    .sort((a, b) => (importedAt(a) < importedAt(b) ? 1 : -1));
  return others.slice(Math.max(0, keep - (present ? 1 : 0))).filter((image) => isNobodys(image, inUse));
}

/** Cached images that nobody has used for so many days, those unused longest first, and no more than a round may remove. 0 days: none. */
export function unusedImages(
  images: readonly KeptImage[],
  { unusedDays, inUse, now }: { readonly unusedDays: number; readonly inUse: ReadonlySet<string>; readonly now: number },
): KeptImage[] {
  if (unusedDays === 0) return [];
  const usedAt = ({ uploaded_at, last_used_at }: KeptImage) => Math.max(Date.parse(uploaded_at), Date.parse(last_used_at));
  return images
    .filter((image) => image.cached && isNobodys(image, inUse) && now - usedAt(image) >= unusedDays * DAY_MS)
    .sort((a, b) => usedAt(a) - usedAt(b))
    .slice(0, Math.max(ALWAYS, Math.floor(images.length * SHARE)));
}

function isNobodys({ fingerprint, aliases }: KeptImage, inUse: ReadonlySet<string>): boolean {
  return aliases.length === 0 && !inUse.has(fingerprint);
}

function importedAt(image: KeptImage): string {
  return evidenceOf(image)?.importedAt ?? '';
}
