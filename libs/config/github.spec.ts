import { describe, expect, test } from '@jest/globals';
import { githubSchema } from './github.js';

describe('the settings of a GitHub', () => {
  test('lead to github.com without a credential unless said otherwise', () => {
    expect(githubSchema.parse(undefined)).toMatchObject({
      ...{ baseUrl: 'https://api.github.com', webUrl: 'https://github.com', auth: { kind: 'none' }, downloads: 'browser' },
      allowPrivateAddresses: false,
    });
  });

  test.each([
    [{ auth: { kind: 'token' } }, 'auth.tokenFile'],
    [{ auth: { kind: 'app', appId: 1, installationId: 2 } }, 'auth.privateKeyFile'],
    [{ baseUrl: 'ftp://example.org' }, 'baseUrl'],
    [{ assetHosts: ['https://example.org'] }, 'assetHosts.0'],
    [{ assetHosts: ['Example.org'] }, 'assetHosts.0'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ tokenFile: '/x' }, ''],
  ])('%j are refused', (settings, path) => {
    const { error } = githubSchema.safeParse(settings);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
