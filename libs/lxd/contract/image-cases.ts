import { expect, test } from '@jest/globals';
import { type Fixture, failureOf } from './fixture.js';

export function imageCases(fixture: Fixture): void {
  test('an image is found by alias and fingerprint', async () => {
    const { images } = fixture.client;
    const image = await images.get(fixture.fingerprint);
    expect(image).toMatchObject({ fingerprint: fixture.fingerprint, architecture: 'x86_64', type: 'container' });
    expect(image.aliases.map(({ name }) => name)).toContain(fixture.target.image);
    expect((await images.list()).map(({ fingerprint }) => fingerprint)).toContain(fixture.fingerprint);
  });

  test('an unknown alias or fingerprint is NOT_FOUND, naming the alias', async () => {
    const failure = await failureOf(fixture.client.images.resolveAlias('no/such'));
    expect(failure).toMatchObject({ code: 'NOT_FOUND', details: { alias: 'no/such' } });
    expect(failure.message).toContain('no/such');
    expect((await failureOf(fixture.client.images.get('0'.repeat(64)))).code).toBe('NOT_FOUND');
  });

  test('an alias is made, moved and removed', async () => {
    const { images } = fixture.client;
    const alias = 'contract/alias';
    await images.deleteAlias(alias).catch(() => undefined);
    await images.createAlias(alias, fixture.fingerprint, { description: 'of the contract' });
    expect(await images.resolveAlias(alias)).toBe(fixture.fingerprint);
    expect((await failureOf(images.createAlias(alias, fixture.fingerprint))).code).toBe('CONFLICT');
    await images.updateAlias(alias, fixture.fingerprint);
    await images.deleteAlias(alias);
    expect((await failureOf(images.deleteAlias(alias))).code).toBe('NOT_FOUND');
    expect((await failureOf(images.createAlias(alias, '0'.repeat(64)))).code).toBe('NOT_FOUND');
  });

  test('an image is imported from its file, once, and deleted', async () => {
    const { images } = fixture.client;
    const upload = async () => (await images.import(fixture.target.newImage, { properties: { note: 'a b&c' } })).wait();
    const { fingerprint } = await upload();
    const image = await images.get(String(fingerprint));
    expect(image.properties['note']).toBe('a b&c');
    expect((await failureOf(upload())).code).toBe('CONFLICT');
    await (await images.delete(image.fingerprint)).wait();
    expect((await failureOf(images.get(image.fingerprint))).code).toBe('NOT_FOUND');
  }, 60_000);

  test('a stopped instance is published with aliases and properties, once for each alias, and becomes an instance again', async () => {
    const { images } = fixture.client;
    const name = await fixture.make();
    const published = { aliases: [`contract/published/${name}`], properties: { note: 'a b&c', owner: '{"id":"1"}' } };
    const { fingerprint } = await (await images.publish(name, published)).wait();
    const image = await images.get(String(fingerprint));
    expect(image).toMatchObject({ type: 'container', properties: published.properties });
    expect(image.aliases.map((alias) => alias.name)).toEqual(published.aliases);
    await fixture.remove(name);
    await (
      await fixture.client.instances.create({ name, fingerprint: image.fingerprint, profiles: ['default'], config: {}, devices: {} })
    ).wait();
    await fixture.change(name, 'start');
    await fixture.change(name, 'stop', true);
    await fixture.remove(name);
    await (await images.delete(image.fingerprint)).wait();
    expect((await failureOf(images.resolveAlias(`contract/published/${name}`))).code).toBe('NOT_FOUND');
  }, 60_000);

  test('an instance that is not there cannot be published', async () => {
    const { images } = fixture.client;
    const outcome = images.publish('contract-no-such', { aliases: [], properties: {} }).then((operation) => operation.wait());
    expect((await failureOf(outcome)).code).toBe('NOT_FOUND');
  });

  test('properties of an image are added to, those not named stay, and only the image that was read is changed', async () => {
    const { images } = fixture.client;
    const { fingerprint } = await (await images.import(fixture.target.newImage, { properties: { kept: 'yes', note: 'one' } })).wait();
    const before = await images.getVersioned(String(fingerprint));
    expect(before.value).toMatchObject({ cached: false, properties: { kept: 'yes' } });
    expect(Date.parse(before.value.uploaded_at)).toBeGreaterThan(Date.now() - 3_600_000);
    expect(Date.parse(before.value.last_used_at)).toBeLessThan(0);
    await images.patchProperties(String(fingerprint), { note: 'two', more: 'x' }, { etag: before.etag });
    const after = await images.getVersioned(String(fingerprint));
    expect(after.value.properties).toEqual({ ...before.value.properties, note: 'two', more: 'x' });
    const late = images.patchProperties(String(fingerprint), { note: 'three' }, { etag: before.etag });
    expect((await failureOf(late)).code).toBe('STALE');
    await (await images.delete(String(fingerprint))).wait();
    expect((await failureOf(images.patchProperties(String(fingerprint), { note: 'four' }))).code).toBe('NOT_FOUND');
  }, 60_000);

  test('the pool of new instances and its space are known, and what the machine runs', async () => {
    const { storage } = fixture.client;
    const pool = await storage.rootPool(['default']);
    const space = await storage.space(pool);
    expect(space.total).toBeGreaterThan(space.used);
    expect((await failureOf(storage.space('no-such-pool'))).code).toBe('NOT_FOUND');
    expect((await failureOf(storage.rootPool(['no-such-profile']))).code).toBe('NOT_FOUND');
    expect((await fixture.client.server()).environment.architectures[0]).toBe('x86_64');
  });

  test('an image file that is not there is INVALID_INPUT', async () => {
    expect((await failureOf(fixture.client.images.import({ unified: '/nowhere/image.tar' }))).code).toBe('INVALID_INPUT');
  });
}
