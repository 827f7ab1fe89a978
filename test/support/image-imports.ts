import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { operationIdFor } from '#apps/api/operations/ids.js';
import { SAMPLE_USERS } from '#lab/apps.js';
import { http } from '#lab/http.js';
import { buildImage } from '#lab/image.js';
import { publishInFolder } from '#lab/image-release.js';
import { octolxdUrl, SAMPLE_REPOSITORY } from '#lab/octolxd.js';
import { waitFor } from '#lab/wait.js';
import { workflowIdOf } from '#libs/contracts/ids.js';
import type { ImportImageResult, UploadedFile } from '#libs/contracts/images.js';
import { imageNameOf } from '#libs/domain/image-evidence.js';
import type { LxdImage } from '#libs/lxd/types.js';
import type { OperationDetail } from '#libs/temporal/operations.js';
import { Direct } from './direct.js';
import { sha256Of, type TestImage } from './image-releases.js';
import type { Session } from './lab-session.js';

const END_MS = 120_000;

interface ImageListing {
  readonly aliases: readonly { readonly alias: string; readonly versions: readonly { readonly version: string }[] }[];
  readonly images: readonly { readonly fingerprint: string; readonly usedBy: readonly string[] }[];
}

/** Imports as an admin asks for them, and what there is in LXD afterwards. */
export class ImportLab {
  readonly #before: ReadonlySet<string>;
  readonly #direct: Direct;

  private constructor(
    readonly session: Session,
    before: readonly LxdImage[],
  ) {
    this.#before = new Set(before.map(({ fingerprint }) => fingerprint));
    this.#direct = new Direct(session.lab);
  }

  static async open(session: Session): Promise<ImportLab> {
    removeUploads(session);
    return new ImportLab(session, await imagesOf(session));
  }

  /** Begins an import and gives its id, which `key` decides if it is given. */
  async begin(body: object, key?: string): Promise<string> {
    const { lab } = this.session;
    const headers = { authorization: `Bearer ${lab.tokenFor('admin')}`, ...(key === undefined ? {} : { 'idempotency-key': key }) };
    const answer = await http(`${lab.profile.urls.api}/v2/images/imports`, { method: 'POST', headers, body, timeoutMs: 30_000 });
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.body}`);
    return answer.json<{ id: string }>().id;
  }

  /** The id that an import for the alias has when it is begun with that key. */
  idOf(alias: string, key: string): string {
    const name = imageNameOf(alias);
    const route = `POST /v2/images/imports ${name}`;
    return workflowIdOf('import', name, operationIdFor({ subject: String(SAMPLE_USERS.admin.id), route, key }));
  }

  async read(id: string): Promise<OperationDetail> {
    return (await this.session.lab.api('admin', 'GET', `/v2/operations/${id}`)).json<OperationDetail>();
  }

  /** The operation when it has ended. */
  ended(id: string, timeoutMs = END_MS): Promise<OperationDetail> {
    const look = async () => {
      const operation = await this.read(id);
      return operation.status === 'running' ? undefined : operation;
    };
    return waitFor(`the end of ${id}`, look, { timeoutMs, intervalMs: 200 });
  }

  async result(id: string, timeoutMs = END_MS): Promise<ImportImageResult> {
    const { status, error } = await this.ended(id, timeoutMs);
    if (status !== 'completed') throw new Error(`${id} is ${status}: ${error?.code} ${error?.message}`);
    return (await this.#direct.client.workflow.getHandle(id).result()) as ImportImageResult;
  }

  async run(body: object): Promise<{ readonly id: string; readonly result: ImportImageResult }> {
    const id = await this.begin(body);
    return { id, result: await this.result(id) };
  }

  /** Why an import fails. */
  async fails(body: object): Promise<OperationDetail['error']> {
    const { status, error } = await this.ended(await this.begin(body));
    if (status !== 'failed') throw new Error(`the import is ${status}, and was to fail`);
    return error;
  }

  cancel(id: string): Promise<unknown> {
    return this.session.lab.api('admin', 'POST', `/v2/operations/${id}/cancel`);
  }

  /** What an activity of it said when it was tried last. */
  async lastError(id: string): Promise<string | undefined> {
    return (await this.read(id)).waits.find(({ lastError }) => lastError)?.lastError?.message;
  }

  /** Why it waits now. */
  async waitsFor(id: string): Promise<string> {
    return (await this.read(id)).waits.map(({ reason }) => reason ?? '').join(' ');
  }

  async list(): Promise<ImageListing> {
    return (await this.session.lab.api('admin', 'GET', '/v2/images')).json<ImageListing>();
  }

  images(): Promise<LxdImage[]> {
    return imagesOf(this.session);
  }

  async imageBehind(alias: string): Promise<LxdImage | undefined> {
    return (await this.images()).find(({ aliases }) => aliases.some(({ name }) => name === alias));
  }

  /** Brings it into LXD as an operator does, without any evidence. */
  async importByHand({ metadata, rootfsFile }: TestImage): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'webspaces-image-'));
    writeFileSync(join(folder, 'lxd.tar.xz'), metadata);
    await this.session.lab.lxc(['image', 'import', join(folder, 'lxd.tar.xz'), rootfsFile]);
    rmSync(folder, { recursive: true });
  }

  /** Lets LXD fetch an image of its own accord, for an instance that is made directly from a remote. */
  async cachedImage(): Promise<string> {
    const { lab } = this.session;
    const { profile } = lab;
    const image = await buildImage({ serial: 'cached' });
    publishInFolder(profile, 'cached/v1.0.0', image);
    const server = `${octolxdUrl(profile)}/${SAMPLE_REPOSITORY}`;
    const ca = readFileSync(profile.paths.caFile, 'utf8');
    const offered = async () => (await http(`${server}/streams/v1/images.json`, { ca })).body.includes(image.fingerprint);
    await waitFor('the image server to offer it', offered, { timeoutMs: 60_000, intervalMs: 500 });
    const source = { type: 'image', mode: 'pull', protocol: 'simplestreams', server, alias: 'cached' };
    await lab.stack.lxd.client.request('POST', '/1.0/instances', { body: { name: 'made-from-a-remote', source } });
    await lab.lxc(['delete', 'made-from-a-remote']);
    return image.fingerprint;
  }

  async upload(bytes: Buffer): Promise<UploadedFile> {
    const { lab } = this.session;
    const answer = await request(`${lab.profile.urls.api}/v2/images/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${lab.tokenFor('admin')}` },
      body: bytes,
    });
    const file = (await answer.body.json()) as UploadedFile;
    if (answer.statusCode !== 201 || file.sha256 !== sha256Of(bytes)) throw new Error(`${answer.statusCode} ${JSON.stringify(file)}`);
    return file;
  }

  /** The checksum file that fits these assets. */
  combined(files: Readonly<Record<string, Buffer | { readonly path: string } | string>>): string {
    const bytes = ['lxd.amd64.tar.xz', 'rootfs.amd64.squashfs'].map((name) => {
      const content = files[name];
      if (content === undefined || typeof content === 'string') throw new Error(`no bytes of ${name}`);
      return Buffer.isBuffer(content) ? content : readFileSync(content.path);
    });
    return `${sha256Of(Buffer.concat(bytes))}\n`;
  }

  /** Assets named for amd64 whose metadata says that they are for another architecture. */
  async imageFor(architecture: string, { rootfsFile }: TestImage) {
    const folder = mkdtempSync(join(tmpdir(), 'webspaces-image-'));
    writeFileSync(join(folder, 'metadata.yaml'), `architecture: ${architecture}\ncreation_date: 1700000000\nproperties: {os: other}\n`);
    execFileSync('tar', ['-C', folder, '-cJf', join(folder, 'lxd.tar.xz'), 'metadata.yaml']);
    const metadata = readFileSync(join(folder, 'lxd.tar.xz'));
    rmSync(folder, { recursive: true });
    const rootfs = { path: rootfsFile };
    const sum = `${sha256Of(readFileSync(rootfsFile))}\n`;
    const files = { 'lxd.amd64.tar.xz': metadata, 'rootfs.amd64.squashfs': rootfs, 'rootfs.amd64.squashfs.sha256': sum };
    return { ...files, 'combined.amd64.sha256': this.combined(files) };
  }

  /** No file in the staging folder, no lock, and nothing that LXD still works on. */
  async nothingLeft(): Promise<void> {
    const { lab, cluster } = this.session;
    const folders = ['imports', 'uploads'].map((name) => join(lab.profile.paths.staging, name));
    const files = (await Promise.all(folders.map((folder) => readdir(folder).catch(() => [] as string[])))).flat();
    const leases = (await cluster.list('lease')).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('image-'));
    if (files.length + leases.length > 0) throw new Error(`left behind: ${[...files, ...leases].join(', ')}`);
  }

  /** Removes every image that came since. */
  async close(): Promise<void> {
    await this.session.members.removeAll();
    for (const { fingerprint } of await this.images()) {
      if (!this.#before.has(fingerprint)) await this.session.lab.lxc(['image', 'delete', fingerprint]);
    }
    await this.#direct.close();
    removeUploads(this.session);
  }
}

function removeUploads({ lab }: Session): void {
  rmSync(join(lab.profile.paths.staging, 'uploads'), { recursive: true, force: true });
}

function imagesOf({ lab }: Session): Promise<LxdImage[]> {
  return lab.stack.lxd.client.request<LxdImage[]>('GET', '/1.0/images?recursion=1');
}
