import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { startGithubDouble } from '#libs/testing/github-double/index.js';
import { parseReleaseEvent, verifyWebhook } from './webhook.js';

describe('a webhook', () => {
  test("is verified by GitHub's own example", () => {
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    const secret = "It's a Secret to Everybody";
    expect(verifyWebhook({ secret, signature, body: 'Hello, World!' })).toBe(true);
    expect(verifyWebhook({ secret, signature, body: 'Hello, World?' })).toBe(false);
    expect(verifyWebhook({ secret: 'another', signature, body: 'Hello, World!' })).toBe(false);
  });

  test.each([undefined, '', 'sha256=', `sha1=${'0'.repeat(40)}`, `sha256=${'z'.repeat(64)}`, '0'.repeat(64)])(
    'signed as %p is refused',
    (signature) => {
      expect(verifyWebhook({ secret: 'secret', signature, body: '{}' })).toBe(false);
    },
  );

  test('is refused with an empty secret, even when signed with it', async () => {
    const { createHmac } = await import('node:crypto');
    const signature = `sha256=${createHmac('sha256', '').update('{}').digest('hex')}`;
    expect(verifyWebhook({ secret: '', signature, body: '{}' })).toBe(false);
  });

  test('that the double sends verifies, says what changed, and keeps its delivery id when sent again', async () => {
    const seen: { id: unknown; event: unknown; verified: boolean; parsed: unknown }[] = [];
    const receiver = createServer(async (incoming, outgoing) => {
      const body = await buffer(incoming);
      const signature = incoming.headers['x-hub-signature-256'] as string;
      const verified = verifyWebhook({ secret: 's3cret', signature, body });
      seen.push({
        id: incoming.headers['x-github-delivery'],
        event: incoming.headers['x-github-event'],
        verified,
        parsed: parseReleaseEvent(body),
      });
      outgoing.writeHead(202).end('queued');
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    const double = await startGithubDouble();
    const release = await double.publish('Society/images', { tag: 'docker/v1.0.0' });
    const first = await double.deliver(url, 's3cret', { repository: 'Society/images', tag: 'docker/v1.0.0' });
    await double.deliver(url, 's3cret', { repository: 'Society/images', tag: 'docker/v1.0.0', deliveryId: first.deliveryId });
    await double.close();
    receiver.close();
    expect(first).toMatchObject({ status: 202, text: 'queued' });
    const parsed = { action: 'published', repository: { owner: 'Society', name: 'images' }, tag: 'docker/v1.0.0', releaseId: release.id };
    expect(seen).toEqual([1, 2].map(() => ({ id: first.deliveryId, event: 'release', verified: true, parsed })));
  });

  test.each([
    '',
    'no json',
    '{}',
    '{"action":"published","release":{"id":1,"tag_name":"a"},"repository":{"name":"..","owner":{"login":"x"}}}',
  ])('with the body %p is no release event', (body) => {
    expect(() => parseReleaseEvent(body)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});
