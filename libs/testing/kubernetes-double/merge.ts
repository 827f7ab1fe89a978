type Json = Record<string, unknown>;

/**
 * Server-side apply with one field manager, simplified: objects are merged, what was applied before and is missing now is dropped, and lists
 * are replaced as a whole.
 */
export function merged(current: Json, before: Json, wanted: Json): Json {
  const kept = Object.entries(current).filter(([key]) => key in wanted || !(key in before));
  const result: Json = Object.fromEntries(kept);
  for (const [key, value] of Object.entries(wanted)) {
    if (value === undefined) continue;
    result[key] = isObject(value) && isObject(current[key]) ? merged(current[key], asObject(before[key]), value) : value;
  }
  return result;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): Json {
  return isObject(value) ? value : {};
}
