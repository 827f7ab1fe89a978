import { PlatformError } from '#libs/errors/platform-error.js';

/** Key types that today's OpenSSH accepts for logins; `ssh-dss` is not among them (off since OpenSSH 7). */
const TYPES: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);
const MAX_CHARACTERS = 16 * 1024;
const CONTROL = /\p{Cc}/u;

/**
 * A public key as one line of `authorized_keys`, checked: type, key, and the comment if there is one. Options before the type are refused.
 * The key's own text begins with its type (RFC 4253, section 6.6; RFC 5656, RFC 8709; OpenSSH's PROTOCOL.u2f).
 * @throws PlatformError INVALID_INPUT, field `ssh`, saying what is wrong and never quoting the key.
 */
export function sshPublicKey(text: string): string {
  const line = text.trim();
  if (/[\r\n]/.test(line)) throw invalid('it has more than one line; keep one key');
  if (CONTROL.test(line.replaceAll('\t', ' '))) throw invalid('it holds control characters');
  if (line.length > MAX_CHARACTERS) throw invalid(`it is longer than ${MAX_CHARACTERS} characters`);
  const [type = '', encoded = '', ...comment] = line.split(/[ \t]+/);
  if (!TYPES.has(type)) throw invalid(`it does not begin with a known type (${[...TYPES].join(', ')})`);
  const blob = Buffer.from(encoded, 'base64');
  if (blob.length === 0 || blob.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, ''))
    throw invalid('its key is not base64');
  if (!fieldsFit(blob, type)) throw invalid(`its key is not of the type ${type} that it names, or was cut off`);
  return [type, encoded, ...comment].join(' ');
}

/** Whether the key is a row of length-prefixed fields to its very end, of which the first names the type. */
function fieldsFit(blob: Buffer, type: string): boolean {
  let fields = 0;
  for (let at = 0; at < blob.length; fields++) {
    if (at + 4 > blob.length) return false;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return false;
    if (fields === 0 && blob.toString('latin1', at + 4, end) !== type) return false;
    at = end;
  }
  return fields >= 2;
}

function invalid(why: string): PlatformError {
  return new PlatformError(
    'INVALID_INPUT',
    `ssh: the SSH public key of the account is not valid: ${why}. Set another key in the account.`,
    {
      details: { field: 'ssh', legacyMessage: 'user has no SSH public key' },
    },
  );
}
