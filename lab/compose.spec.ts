import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { apiConfigSchema } from '#libs/config/api.js';
import { gatewayConfigSchema } from '#libs/config/gateway.js';
import { octolxdConfigSchema } from '#libs/config/octolxd.js';
import { workerConfigSchema } from '#libs/config/worker.js';
import { projectRoot } from './project.js';

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile: string };
  readonly ports?: readonly string[];
}

const read = (file: string) => readFileSync(join(projectRoot(), file), 'utf8');
const services = (parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> }).services;

describe('docker-compose.yml', () => {
  test('pins every image to a version', () => {
    const images = Object.values(services).flatMap(({ image }) => image ?? []);
    expect(images.filter((image) => !/:(\$\{[A-Z0-9_]+:-)?v?\d/.test(image))).toEqual([]);
  });

  test('publishes ports on the loopback address only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('builds API, worker, gateway and image server from files that exist and run as an ordinary user', () => {
    for (const name of ['api', 'worker', 'gateway', 'octolxd'])
      expect(read(services[name]?.build?.dockerfile ?? '')).toMatch(/^USER node$/m);
  });

  test.each([
    ['api', apiConfigSchema],
    ['worker', workerConfigSchema],
    ['gateway', gatewayConfigSchema],
    ['octolxd', octolxdConfigSchema],
  ])('gives the %s a configuration it accepts', (name, schema) => {
    expect(schema.safeParse(parse(read(`deploy/docker/config/${name}.yaml`))).error?.issues ?? []).toEqual([]);
  });
});
