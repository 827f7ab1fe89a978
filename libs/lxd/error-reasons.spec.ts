import { describe, expect, test } from '@jest/globals';
import { httpError, operationError, redact, transportError } from './error-reasons.js';

describe('an error answer of LXD', () => {
  test.each([
    [400, 'Invalid instance name: Name can only contain alphanumeric and hyphen characters', 'INVALID_INPUT', 'invalid'],
    [400, 'unexpected EOF', 'INVALID_INPUT', 'invalid'],
    [400, 'Instance is running', 'CONFLICT', 'still-running'],
    [400, 'Instance is not running', 'CONFLICT', 'not-running'],
    [400, 'Instance is frozen', 'CONFLICT', 'frozen'],
    [403, 'not authorized', 'DENIED_UPSTREAM', 'denied'],
    [403, 'Cluster member is evacuated', 'UNAVAILABLE', 'evacuated'],
    [404, 'Instance not found', 'NOT_FOUND', 'not-found'],
    [404, 'Image alias not found', 'NOT_FOUND', 'not-found'],
    [404, 'Not Found', 'NOT_FOUND', 'not-found'],
    [404, 'not found', 'PROTOCOL', 'not-lxd'],
    [409, 'Certificate already in trust store', 'CONFLICT', 'exists'],
    [412, "ETag doesn't match: a vs b", 'STALE', 'etag'],
    [429, 'slow down', 'RATE_LIMITED', 'rate-limited'],
    [500, 'Get "https://10.55.0.3:8443": Unable to connect to: 10.55.0.3:8443', 'UNAVAILABLE', 'member-unreachable'],
    [500, 'Missing event connection with target cluster member', 'UNAVAILABLE', 'member-unreachable'],
    [500, 'context deadline exceeded', 'UNAVAILABLE', 'database'],
    [500, 'dial tcp: i/o timeout', 'UNAVAILABLE', 'member-unreachable'],
    [500, 'Server is not clustered', 'CONFLICT', 'not-clustered'],
    [500, 'Invalid config: Unknown configuration key: foo', 'INVALID_INPUT', 'invalid'],
    [500, 'Requested profile "nope" doesn\'t exist', 'INVALID_INPUT', 'invalid'],
    [500, 'Failed to create instance update operation: Instance is busy running a "stop" operation', 'UNAVAILABLE', 'busy'],
    [500, 'sftp: "remove /root/d: directory not empty" (SSH_FX_FAILURE)', 'CONFLICT', 'not-empty'],
    [500, 'open /x/logs/c1/console.log: no such file or directory', 'NOT_FOUND', 'no-log'],
    [500, 'open : no such file or directory', 'NOT_FOUND', 'no-log'],
    [500, 'something never seen', 'UNAVAILABLE', 'server-error'],
    [501, 'not implemented', 'PROTOCOL', 'not-implemented'],
    [503, 'LXD daemon not ready yet', 'UNAVAILABLE', 'starting'],
    [
      503,
      'Failed to begin transaction: failed to create dqlite connection: no available dqlite leader server found',
      'UNAVAILABLE',
      'no-quorum',
    ],
  ])('%i "%s" is %s (%s)', (status, text, code, reason) => {
    expect(httpError('do it', { status, text })).toMatchObject({ code, details: { reason } });
  });

  test('says when to try again, as the server did or as the table knows', () => {
    expect(httpError('do it', { status: 503, text: 'x', retryAfterMs: 7000 }).details.retryAfterMs).toBe(7000);
    expect(httpError('do it', { status: 503, text: 'LXD daemon not ready yet' }).details.retryAfterMs).toBeGreaterThan(0);
  });

  test('names what was tried, the text and what to do', () => {
    const { message } = httpError('delete instance u1', { status: 400, text: 'Instance is running' });
    expect(message).toBe('LXD could not delete instance u1: Instance is running. Stop it first.');
  });
});

describe('a failed operation', () => {
  test.each([
    ['Failed creating instance record: Add instance info to the database: This "instances" entry already exists', 'CONFLICT', 'exists'],
    ['The instance is already running', 'CONFLICT', 'already-running'],
    ['The instance is already stopped', 'CONFLICT', 'not-running'],
    ["The container isn't running", 'CONFLICT', 'not-running'],
    ['The container is already frozen', 'CONFLICT', 'frozen'],
    ['Failed to create instance delete operation: Instance is busy running a "create" operation', 'UNAVAILABLE', 'busy'],
    ['Failed creating instance record: Instance is busy running a "create" operation', 'UNAVAILABLE', 'busy'],
    ['Failed creating instance record: Unknown configuration key: limits.cpux', 'INVALID_INPUT', 'invalid'],
    [
      'Failed creating instance record: Failed initialising instance: Invalid devices: Device validation failed',
      'INVALID_INPUT',
      'invalid',
    ],
    ['Image not provided for instance creation', 'NOT_FOUND', 'not-found'],
    ['Instance not found', 'NOT_FOUND', 'not-found'],
    ['Instance storage pool not found', 'OPERATION_FAILED', 'half-made'],
    ['Failed to handle idmapped storage: Failed expanding symlinks of "": lstat /x: no such file', 'OPERATION_FAILED', 'half-made'],
    ["Error deleting storage volume: Failed to remove '/x': unlinkat /x/rootfs: directory not empty", 'UNAVAILABLE', 'files-in-use'],
    ['Failed start validation for device "eth0": IP address "10.77.3.9" already defined on another NIC', 'CONFLICT', 'address-in-use'],
    ['Failed shutting down instance, status is "Running": shutting down the container failed', 'OPERATION_FAILED', 'shutdown-timeout'],
    ['Command not found', 'INVALID_INPUT', 'command-not-found'],
    ['Failed to run: forkstart: exit status 1', 'OPERATION_FAILED', 'start-failed'],
  ])('"%s" is %s (%s)', (text, code, reason) => {
    expect(operationError('do it', text)).toMatchObject({ code, details: { reason } });
  });
});

describe('no answer', () => {
  const failure = (code: string) => Object.assign(new Error('secret=abc'), { code });

  test.each([
    'ECONNREFUSED',
    'ENOENT',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'UND_ERR_SOCKET',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_DESTROYED',
  ])('%s is UNAVAILABLE', (code) => {
    expect(transportError('do it', failure(code))).toMatchObject({
      code: 'UNAVAILABLE',
      message: `LXD is not reachable (${code}) to do it.`,
    });
  });

  test('a socket that may not be opened and a refused certificate are DENIED_UPSTREAM', () => {
    expect(transportError('do it', failure('EACCES')).code).toBe('DENIED_UPSTREAM');
    expect(transportError('do it', failure('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')).code).toBe('DENIED_UPSTREAM');
  });

  test('what is no HTTP is PROTOCOL', () => {
    expect(transportError('do it', failure('HPE_INVALID_CONSTANT')).code).toBe('PROTOCOL');
  });
});

test.each([
  ['Get "/1.0/operations/x/websocket?secret=0123abcdef": bad', 'Get "/1.0/operations/x/websocket?secret=[redacted]": bad'],
  ['{"password": "hunter2", "token":"abc"}', '{"password": "[redacted]", "token":"[redacted]"}'],
  ['nothing hidden here', 'nothing hidden here'],
])('secrets are taken out of "%s"', (text, clean) => {
  expect(redact(text)).toBe(clean);
  expect(httpError('do it', { status: 500, text }).message).toContain(clean);
});

test('a failed start tells no paths of the host, and keeps them for the operator', () => {
  const error = operationError('start ws-u1', 'Failed to run: /usr/bin/lxd forkstart ws-u1 /var/lib/lxd/containers: exit status 1');
  expect(error.message).toBe(
    'LXD could not start ws-u1: its init did not start. "lxc info <instance> --show-log" tells why: mend its init or its configuration, or make it anew from another image.',
  );
  expect(error.details).toMatchObject({ reason: 'start-failed', lxd: expect.stringContaining('/var/lib/lxd') });
});
