/**
 * Whether `actual` already holds everything `desired` says. Fields that only the server set are ignored; lists must have the same length,
 * so that an entry added by hand is a difference.
 */
export function matches(actual: unknown, desired: unknown): boolean {
  if (Array.isArray(desired)) {
    return Array.isArray(actual) && actual.length === desired.length && desired.every((item, i) => matches(actual[i], item));
  }
  if (typeof desired === 'object' && desired !== null) {
    if (typeof actual !== 'object' || actual === null) return false;
    return Object.entries(desired).every(([key, value]) => value === undefined || matches((actual as Record<string, unknown>)[key], value));
  }
  return actual === desired;
}
