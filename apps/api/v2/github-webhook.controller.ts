import { Readable } from 'node:stream';
import { Body, Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import { PlatformError } from '#libs/errors/platform-error.js';
import { parseReleaseEvent, verifyWebhook } from '#libs/github/webhook.js';
import { type ApiDependencies, DEPENDENCIES } from '../dependencies.js';
import { Public } from '../http/auth.guard.js';
import { Problems } from '../http/openapi.js';
import { type WebhookAnswer, webhookSchema } from './images.schemas.js';

/** GitHub's own limit is 25 MB; the event of a release has some tens of KB. */
const MAX_BYTES = 1_048_576;
const DELIVERY = /^[A-Za-z0-9-]{8,64}$/;

/** What GitHub says when a release changes: nothing acts on it, but the sources of that repository are looked at now instead of later. */
@ApiTags('v2 images')
@Controller('v2/github/webhook')
export class GithubWebhookController {
  constructor(@Inject(DEPENDENCIES) private readonly deps: ApiDependencies) {}

  @Post()
  @Public()
  @HttpCode(202)
  @ApiConsumes('application/octet-stream')
  @ApiHeader({ name: 'X-GitHub-Event', required: false })
  @ApiHeader({ name: 'X-GitHub-Delivery', required: false })
  @ApiHeader({ name: 'X-Hub-Signature-256', required: false })
  @ApiBody({ description: "GitHub's delivery, as it is", schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 202, description: 'Taken; the same delivery again starts nothing', standardSchema: webhookSchema })
  @Problems(400, 401, 404, 503)
  async deliver(@Headers() headers: Record<string, string | undefined>, @Body() body: unknown): Promise<WebhookAnswer> {
    const { webhookSecret } = this.deps;
    if (webhookSecret === undefined) throw new PlatformError('NOT_FOUND', 'The webhook is off (images.webhookSecretFile).');
    const bytes = await bytesOf(body);
    if (!verifyWebhook({ secret: webhookSecret, signature: headers['x-hub-signature-256'], body: bytes })) {
      throw new PlatformError('UNAUTHORIZED', 'The signature of the delivery is not right.');
    }
    const event = headers['x-github-event'];
    if (event === 'ping') return { outcome: 'pong' };
    if (event !== 'release') return { outcome: 'ignored' };
    const delivery = headers['x-github-delivery'] ?? '';
    if (!DELIVERY.test(delivery)) throw invalid('X-GitHub-Delivery', 'The delivery has no id that GitHub would give it.');
    const { owner, name } = parseReleaseEvent(bytes).repository;
    await this.deps.operations.lookAtSources({ deliveryId: delivery, repository: `${owner}/${name}` });
    return { outcome: 'looking' };
  }
}

async function bytesOf(body: unknown): Promise<Buffer> {
  if (!(body instanceof Readable)) throw invalid('body', 'The delivery is empty.');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += (chunk as Buffer).length;
    if (size > MAX_BYTES) throw invalid('body', `The delivery is larger than ${MAX_BYTES} bytes.`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function invalid(field: string, message: string): PlatformError {
  return new PlatformError('INVALID_INPUT', message, { details: { field } });
}
