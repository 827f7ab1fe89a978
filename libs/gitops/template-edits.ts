import type { Build, ProbeKind } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { GitopsSettings, YamlEdit } from './types.js';
import { lookInto, pathText } from './yaml-edits.js';

export interface Template {
  readonly build: Build;
  readonly probes: readonly ProbeKind[];
}

/**
 * The values that make the file say this template, by the form that the file has (`text`).
 * @throws PlatformError INVALID_INPUT or CONFLICT, naming the file and the path, for what has no place in it.
 */
export function templateEdits(settings: GitopsSettings, text: string, { build, probes }: Template): YamlEdit[] {
  const { file, environmentPaths, probesPath } = settings;
  const foreign = Object.keys(build.environment).find((name) => environmentPaths[name] === undefined);
  if (foreign !== undefined) {
    throw new PlatformError('INVALID_INPUT', `${file} has no place for the variable ${foreign}: name one in environmentPaths.`, {
      details: { field: 'environment', file },
    });
  }
  return [
    ...imageEdits(settings, text, build.image),
    ...Object.entries(environmentPaths).map(([name, path]) => ({
      path: splitPath(path),
      value: sameKind(settings, text, path, build.environment[name]),
    })),
    ...(probesPath === undefined ? [] : [{ path: splitPath(probesPath), value: probes.length > 0 }]),
  ];
}

export function splitPath(path: string): string[] {
  return path.split('.');
}

/** Numbers and booleans stay what they are in the file, so that a chart's own checks of its values go on to pass. */
function sameKind({ file }: GitopsSettings, text: string, path: string, value = ''): YamlEdit['value'] {
  const there = lookInto(file, text, splitPath(path));
  return typeof there === 'number' && /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : value;
}

function imageEdits({ file, imagePath }: GitopsSettings, text: string, image: string): YamlEdit[] {
  const path = splitPath(imagePath);
  const there = lookInto(file, text, path);
  if (there === undefined || typeof there !== 'object') return [{ path, value: image }];
  const parts = partsOf(image);
  const has = (key: string) => there.keys.includes(key);
  const missing = ['repository', 'tag'].find((key) => !has(key));
  if (missing !== undefined) throw unfit(file, `${pathText(path)} has no ${missing}`);
  if (parts.digest !== '' && !has('digest')) throw unfit(file, `${pathText(path)} has no place for the digest of ${image}`);
  const repository = has('registry') ? parts.repository : [parts.registry, parts.repository].filter((part) => part !== '').join('/');
  return [
    ...(has('registry') ? [{ path: [...path, 'registry'], value: parts.registry }] : []),
    { path: [...path, 'repository'], value: repository },
    { path: [...path, 'tag'], value: parts.tag },
    ...(has('digest') ? [{ path: [...path, 'digest'], value: parts.digest }] : []),
  ];
}

/** A reference in its parts; the first is a registry when it has a dot, a colon, or is `localhost`. */
function partsOf(image: string): { registry: string; repository: string; tag: string; digest: string } {
  const [named = '', digest = ''] = image.split('@');
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const [first = '', ...rest] = path.split('/');
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return {
    registry: isRegistry ? first : '',
    repository: isRegistry ? rest.join('/') : path,
    tag: colon < 0 ? '' : named.slice(colon + 1),
    digest,
  };
}

function unfit(file: string, why: string): PlatformError {
  return new PlatformError('CONFLICT', `${file} is not as expected: ${why}. Nothing was changed.`, {
    details: { reason: 'unexpected-file', file },
  });
}
