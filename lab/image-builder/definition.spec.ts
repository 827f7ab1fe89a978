import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { projectRoot } from '../project.js';
import { expirySeconds, parseDefinition, render } from './definition.js';

const OPTIONS = ['image.architecture=aarch64', 'image.serial=1.2.3'];
const text = (name: string) => readFileSync(join(projectRoot(), 'deploy/images', `${name}.yaml`), 'utf8');

describe('definitions of images', () => {
  it.each(['docker', 'wordpress'])('%s is one that the builder understands wholly', (name) => {
    const definition = parseDefinition(text(name), OPTIONS);
    expect(definition).toMatchObject({ debianArchitecture: 'arm64', image: { serial: '1.2.3', architecture: 'aarch64' } });
    expect(render(definition.image.description, definition)).toMatch(/^Debian 12 \(bookworm\) with \w+, arm64, 1\.2\.3$/);
  });

  it('another mirror is kept apart from the ordinary one', () => {
    const definition = parseDefinition(text('docker'), [...OPTIONS, 'source.url=http://mirror.example.org/debian']);
    expect([definition.source.url, definition.ordinaryUrl]).toEqual(['http://mirror.example.org/debian', 'http://deb.debian.org/debian']);
  });

  it.each([
    ['a generator that is not interpreted', (yaml: string) => yaml.replace('generator: dump', 'generator: cloud-init'), OPTIONS],
    ['a filter, which would be left out unseen', (yaml: string) => yaml.replace('- trigger:', '- variants: [x]\n    trigger:'), OPTIONS],
    ['a path out of the root', (yaml: string) => yaml.replace('path: /etc/hostname', 'path: /../hostname'), OPTIONS],
    ['another way to get the root', (yaml: string) => yaml.replace('debootstrap', 'rootfs-http'), OPTIONS],
    ['an unknown architecture', (yaml: string) => yaml, ['image.architecture=vax', 'image.serial=1']],
    ['an option that is none', (yaml: string) => yaml, [...OPTIONS, 'packages.manager=yum']],
    ['no version', (yaml: string) => yaml, []],
  ])('%s is refused', (_, change, options) => {
    expect(() => parseDefinition(change(text('docker')), options)).toThrow();
  });

  it('unknown names in texts are refused', () => {
    expect(() => render('{{ image.nothing }}', parseDefinition(text('docker'), OPTIONS))).toThrow('{{ image.nothing }} is not known');
  });

  it('an expiry is a sum of its parts', () => {
    expect(expirySeconds('1w2d3h4m5s')).toBe(604_800 + 2 * 86_400 + 3 * 3_600 + 4 * 60 + 5);
  });
});
