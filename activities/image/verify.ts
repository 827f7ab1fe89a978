import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Acting } from '#libs/contracts/activities.js';
import type { FetchedImage, ImportPlan } from '#libs/contracts/images.js';
import { EVIDENCE_PREFIX } from '#libs/domain/image-evidence.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { readMetadata } from '#libs/image-archive/read-metadata.js';
import { kernelArchitecture } from '#libs/simplestreams/architectures.js';
import { parseMetadata } from '#libs/simplestreams/metadata.js';
import type { Call } from '../shared/guard.js';
import type { ImageDeps } from './deps.js';

/** What is looked at before anything is created. */
export function verifySteps({ staging }: ImageDeps) {
  return {
    async verifyImage(call: Call, acting: Acting, plan: ImportPlan, fetched: FetchedImage): Promise<void> {
      for (const { role, name, sha256 } of plan.files) {
        const got = fetched.files.find((file) => file.role === role)?.sha256;
        if (sha256 !== undefined && sha256 !== got) throw wrong(name, String(got), sha256);
      }
      if (plan.fingerprint !== undefined && plan.fingerprint !== fetched.fingerprint) {
        throw wrong('metadata and root together', fetched.fingerprint, plan.fingerprint);
      }
      const folder = await staging.importFolder(acting.name, acting.operationId);
      const { yaml } = await readMetadata(createReadStream(join(folder, 'metadata')), { signal: call.signal });
      const metadata = parseMetadata(yaml);
      if (kernelArchitecture(metadata.architecture) !== plan.architecture) {
        throw new PlatformError(
          'INVALID_INPUT',
          `The image is made for ${metadata.architecture}, and ${plan.architecture} was to be imported.`,
          {
            details: { reason: 'architecture' },
          },
        );
      }
      const forged = Object.keys(metadata.properties).find((key) => key.startsWith(EVIDENCE_PREFIX));
      if (forged !== undefined) {
        throw new PlatformError('INVALID_INPUT', `The image's own metadata has the property ${forged}, which only the platform writes.`, {
          details: { reason: 'forged-evidence' },
        });
      }
    },
  };
}

function wrong(what: string, got: string, expected: string): PlatformError {
  return new PlatformError('PROTOCOL', `The digest of ${what} is ${got}, and its source says ${expected}: nothing was created.`, {
    details: { reason: 'digest' },
  });
}
