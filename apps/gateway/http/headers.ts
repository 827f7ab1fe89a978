/** Headers of one connection, which are never passed on (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'upgrade']);

/** Needed to understand a message: stay although the header Connection names them. */
const KEPT = new Set(['host', 'content-length', 'transfer-encoding', 'te', 'trailer']);

/** Names and values in turn, as Node gives them. */
export type RawHeaders = readonly string[];

export function pairsOf(raw: RawHeaders): [name: string, value: string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] as string, raw[2 * i + 1] as string]);
}

/** All values of a header, in order. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  return pairsOf(raw)
    .filter(([key]) => key.toLowerCase() === name)
    .map(([, value]) => value);
}

/** What is passed on of a message: everything as it came, but what concerns its connection only and what is in `without`. */
export function passedOn(raw: RawHeaders, without: readonly string[] = []): [name: string, value: string][] {
  const named = valuesOf(raw, 'connection').flatMap((value) => value.split(',').map((token) => token.trim().toLowerCase()));
  const dropped = new Set([...HOP_BY_HOP, ...without, ...named.filter((name) => !KEPT.has(name))]);
  return pairsOf(raw).filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** Without port, as the directory takes it; undefined when it is no single host name. */
export function hostNamed(raw: RawHeaders): string | undefined {
  const [host, ...others] = valuesOf(raw, 'host');
  if (host === undefined || others.length > 0) return undefined;
  return /^([A-Za-z0-9_.-]+)(?::\d{0,5})?$/.exec(host)?.[1];
}
