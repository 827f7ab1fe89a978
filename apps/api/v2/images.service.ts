import { Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { ImageSource, ImportImageInput, UploadedFile } from '#libs/contracts/images.js';
import { evidenceOf, imageNameOf } from '#libs/domain/image-evidence.js';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { parseRepository } from '#libs/github/repository.js';
import { UPLOAD_LIVES_MS } from '#libs/images/staging.js';
import type { LxdImage } from '#libs/lxd/types.js';
import type { OperationSummary } from '#libs/temporal/operations.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import type { RequestContext } from '../http/context.js';
import { Starter } from '../operations/starter.service.js';
import { LxdReads } from '../reads/lxd-reads.js';
import { imageViews } from './image-views.js';
import { type ImageList, type ImageSourcesView, type ImportBody, splitGithub, type UploadView } from './images.schemas.js';

const SWEEP_MS = 3_600_000;
const RUNNING_IMPORTS = 200;

/** Images and their imports: for admins. */
@Injectable()
export class Images implements OnModuleInit, OnApplicationShutdown {
  #sweeping: NodeJS.Timeout | undefined;

  constructor(
    @Inject(DEPENDENCIES) private readonly deps: ApiDependencies,
    @Inject(Starter) private readonly starter: Starter,
    @Inject(LxdReads) private readonly reads: LxdReads,
  ) {}

  /** Uploads that nobody used go, also those of a process that is gone. */
  onModuleInit(): void {
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    this.#sweep();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#sweeping);
  }

  async list({ caller }: RequestContext): Promise<ImageList> {
    assertAdmin(caller);
    const [images, instances] = await Promise.all([this.reads.images(), this.reads.instances()]);
    return imageViews(images, instances);
  }

  async sources({ caller }: RequestContext): Promise<ImageSourcesView> {
    assertAdmin(caller);
    const { sources, keep } = this.deps.config.images;
    if (sources.length === 0) return { sources: [] };
    const [images, running] = await Promise.all([
      this.reads.images(),
      this.deps.operations.list({ kind: 'import', status: 'running', limit: RUNNING_IMPORTS }),
    ]);
    return {
      sources: sources.map((source) => {
        const current = currentOf(images, source.alias);
        const name = imageNameOf(source.alias);
        const imports = running.operations.filter(({ webspace }) => webspace === name);
        return { ...source, keep: source.keep ?? keep, ...(current ? { current } : {}), imports };
      }),
    };
  }

  async import(context: RequestContext, body: ImportBody): Promise<OperationSummary> {
    const { caller } = context;
    assertAdmin(caller);
    const { source, called } = await this.#sourceOf(body);
    const alias = body.alias ?? called;
    const { architecture, keep } = body;
    const wish = { kind: 'import', name: imageNameOf(alias), owner: caller.subject, ownerName: alias, body } as const;
    const request = this.starter.requestFor(context, wish, (common): ImportImageInput => {
      return { ...common, alias, source, ...(architecture === undefined ? {} : { architecture }), ...(keep === undefined ? {} : { keep }) };
    });
    return await this.starter.begin(context, { ...request, summary: `import ${alias}, asked by ${caller.username}` });
  }

  async upload({ caller }: RequestContext, body: unknown): Promise<UploadView> {
    assertAdmin(caller);
    if (!(body instanceof Readable)) throw new PlatformError('INVALID_INPUT', 'The file is empty.', { details: { field: 'body' } });
    const { uploadBytes } = this.deps.config.images;
    const file = await this.deps.staging.receive(body, { maxBytes: uploadBytes });
    return { ...file, expiresAt: new Date(Date.now() + UPLOAD_LIVES_MS).toISOString() };
  }

  async #sourceOf({ github, simplestreams, upload, prereleases }: ImportBody): Promise<{ source: ImageSource; called: string }> {
    if (github !== undefined) {
      const { source, range } = splitGithub(github);
      const [owner = '', repository = '', ...parts] = source.slice('github:'.length).split('/');
      parseRepository(owner, repository);
      const image = parts.join('/');
      const options = { ...(range === undefined ? {} : { version: range }), ...(prereleases ? { prereleases: true as const } : {}) };
      return { source: { kind: 'github', owner, repository, image, ...options }, called: image };
    }
    if (simplestreams !== undefined) {
      const { server, alias, version, certificate } = simplestreams;
      const options = { ...(version === undefined ? {} : { version }), ...(certificate === undefined ? {} : { certificate }) };
      return { source: { kind: 'simplestreams', server, alias, ...options }, called: alias };
    }
    if (upload === undefined) throw new Error('the schema wants one source');
    const { version } = upload;
    const [metadata, rootfs] = [await this.#uploaded('metadata', upload.metadata), await this.#uploaded('rootfs', upload.rootfs)];
    return { source: { kind: 'upload', metadata, rootfs, ...(version === undefined ? {} : { version }) }, called: '' };
  }

  async #uploaded(field: string, id: string): Promise<UploadedFile> {
    const file = await this.deps.staging.useUpload(id);
    if (file) return file;
    throw new PlatformError('INVALID_INPUT', `There is no upload ${id}: it was used or not used for a day. Send the file again.`, {
      details: { field: `upload.${field}` },
    });
  }

  #sweep(): void {
    this.deps.staging.sweepUploads().catch((error: unknown) => {
      this.deps.logger.warn({ error: messageOf(error) }, 'uploads that nobody used could not be removed');
    });
  }
}

function currentOf(images: readonly LxdImage[], alias: string) {
  const image = images.find(({ aliases }) => aliases.some(({ name }) => name === alias));
  const evidence = image && evidenceOf(image);
  return image && evidence && { version: evidence.version, fingerprint: image.fingerprint, importedAt: evidence.importedAt };
}

function assertAdmin({ isAdmin }: RequestContext['caller']): void {
  if (!isAdmin) throw new PlatformError('FORBIDDEN', 'Only admins see and import images with their evidence.');
}
