import { PlatformError } from '#libs/errors/platform-error.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const AGE_FIELDS = '0:99999:7:::';

/**
 * `/etc/shadow` with another password hash of root, and nothing else changed but the day of that change (shadow(5)): the other lines stay byte for
 * byte. A missing line is added.
 */
export function withRootPassword(shadow: Buffer, hash: string, now = Date.now()): Buffer {
  const today = String(Math.floor(now / DAY_MS));
  return withRootLine(shadow, (fields) => {
    if (fields === undefined) return `root:${hash}:${today}:${AGE_FIELDS}`;
    const [name, _hash, _changed, ...rest] = fields;
    return [name, hash, today, ...(rest.length > 0 ? rest : [AGE_FIELDS])].join(':');
  });
}

/** `/etc/passwd` where root's password is looked up in `/etc/shadow`: any other mark there would be believed instead (passwd(5)). */
export function withShadowedRoot(passwd: Buffer): Buffer {
  return withRootLine(passwd, (fields) => {
    if (fields === undefined)
      throw new PlatformError('INVALID_INPUT', 'password: the image has no user root in /etc/passwd.', { details: { field: 'password' } });
    const [name, _mark, ...rest] = fields;
    return [name, 'x', ...rest].join(':');
  });
}

/** Latin-1 gives every byte back as it came. */
function withRootLine(file: Buffer, change: (fields: string[] | undefined) => string): Buffer {
  const lines = file.toString('latin1').split('\n');
  const at = lines.findIndex((line) => line.startsWith('root:'));
  if (at >= 0) lines[at] = change((lines[at] as string).split(':'));
  else lines.unshift(change(undefined));
  return Buffer.from(lines.join('\n'), 'latin1');
}
