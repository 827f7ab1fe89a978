import { expect, test } from '@jest/globals';
import { proxyHeader } from './proxy-header.js';

test('the header of PROXY protocol v2 for TCP over IPv4, byte by byte', () => {
  const header = proxyHeader({ clientAddress: '::ffff:192.0.2.1', clientPort: 40_000, address: '198.51.100.2', port: 50_022 });
  expect(header.toString('hex')).toBe(`0d0a0d0a000d0a515549540a${'21'}${'11'}${'000c'}c0000201${'c6336402'}9c40${'c366'}`);
});
