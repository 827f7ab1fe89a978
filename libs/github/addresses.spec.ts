import { describe, expect, test } from '@jest/globals';
import { privateReason, publicLookup } from './addresses.js';

describe('an address', () => {
  test.each(['140.82.121.4', '185.199.108.133', '2606:50c0:8000::153', '64:ff9b::8c52:7904'])('%s is public', (address) => {
    expect(privateReason(address)).toBeUndefined();
  });

  test.each([
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.100.100.200',
      '192.0.0.192',
      '168.63.129.16',
    ],
    ...[
      '224.0.0.1',
      '255.255.255.255',
      '198.18.0.1',
      '::',
      '::1',
      'fe80::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '::ffff:10.0.0.1',
      '::ffff:a9fe:a9fe',
    ],
    ...['64:ff9b::a00:1', '64:ff9b::7f00:1', '2002:7f00:1::', '2001:db8::1', 'fec0::1', 'not an address', ''],
  ])('%s is not', (address) => {
    expect(privateReason(address)).toEqual(expect.any(String));
  });
});

describe('a look-up', () => {
  function ask(addresses: readonly string[], all: true | undefined): Promise<unknown> {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const look = publicLookup((_host, _options, callback) => callback(null, found));
    return new Promise((resolve, reject) => {
      look('example.org', all ? { all } : {}, (error, ...answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  test('gives what it checked, in either form', async () => {
    expect(await ask(['140.82.121.4', '2606:50c0:8000::153'], true)).toEqual([
      [
        { address: '140.82.121.4', family: 4 },
        { address: '2606:50c0:8000::153', family: 6 },
      ],
    ]);
    expect(await ask(['140.82.121.4'], undefined)).toEqual(['140.82.121.4', 4]);
  });

  test.each([[['10.0.0.1']], [['140.82.121.4', '127.0.0.1']], [['2606:50c0:8000::153', '::ffff:169.254.169.254']]])(
    'refuses %j',
    async (addresses) => {
      await expect(ask(addresses, true)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { reason: 'private-address' } });
      await expect(ask(addresses, undefined)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    },
  );
});
