import { applyDecorators } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiHeader, ApiResponse, DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { problemSchema } from './problem.js';

const PROBLEM_REF = '#/components/schemas/Problem';

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'The request is not valid; `field` names the field',
  401: 'No token, or one that is not accepted',
  403: "Somebody else's",
  404: 'There is none',
  414: 'A part of the path is too long',
  413: 'The request body is too large',
  429: 'Too many requests; see Retry-After',
  409: 'Conflicts with what exists, or with an operation under way',
  502: 'An upstream system failed, or the record cannot be read',
  503: 'A part of the platform does not answer; see Retry-After',
  504: 'Not ended within the wait; it goes on as `operation`',
};

/** Documents answers that are problems. */
export function Problems(...statuses: readonly number[]) {
  return applyDecorators(
    ...statuses.map((status) => ApiResponse({ status, description: MEANINGS[status] ?? '', standardSchema: problemSchema })),
  );
}

/** Documents that a route needs a token, and what is said without a good one. */
export function NeedsToken() {
  return applyDecorators(ApiBearerAuth(), Problems(401, 403, 503));
}

/** Documents the header that makes a repeat safe. */
export function Repeatable() {
  return applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: 'A repeat with the same key joins the first operation, or returns its outcome',
    }),
  );
}

export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Webspaces')
    .setDescription(
      'v1 is compatible with the original API; v2 adds lists, operations and their progress. Errors are application/problem+json.',
    )
    .setVersion('1.0.0')
    .setLicense('GPL-3.0-or-later', 'https://www.gnu.org/licenses/gpl-3.0.html')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  const document = SwaggerModule.createDocument(app, builder, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  return withProblemType(withCommonProblems(document));
}

/** What the server itself may answer before a route is asked. */
function withCommonProblems(document: OpenAPIObject): OpenAPIObject {
  const problem = (status: number) => ({
    description: MEANINGS[status] ?? '',
    content: { 'application/json': { schema: { $ref: PROBLEM_REF } } },
  });
  for (const [path, operations] of Object.entries(document.paths)) {
    if (path.startsWith('/health')) continue;
    for (const operation of operationsOf(operations)) {
      operation.responses['429'] ??= problem(429);
      if (operation.parameters?.length || operation.requestBody) operation.responses['400'] ??= problem(400);
      if (path.includes('{')) {
        operation.responses['404'] ??= problem(404);
        operation.responses['414'] ??= problem(414);
      }
      if (operation.requestBody) operation.responses['413'] ??= problem(413);
    }
  }
  return document;
}

/** Problems are of the type application/problem+json, whatever the route's other answers are. */
function withProblemType(document: OpenAPIObject): OpenAPIObject {
  for (const path of Object.values(document.paths)) {
    for (const { responses } of operationsOf(path)) {
      for (const response of Object.values(responses)) {
        const problem = Object.values(response.content ?? {}).find(({ schema }) => schema?.$ref === PROBLEM_REF);
        if (problem) response.content = { 'application/problem+json': problem };
      }
    }
  }
  return document;
}

interface Operation {
  readonly parameters?: readonly unknown[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, { content?: Record<string, { readonly schema?: { readonly $ref?: string } }> }>;
}

function operationsOf(path: object): Operation[] {
  return Object.values(path).filter((operation: Partial<Operation>) => operation.responses !== undefined) as Operation[];
}

/** Swagger UI at /swagger, the document at /openapi.json. */
export function serveOpenApi(app: NestFastifyApplication, document: OpenAPIObject): void {
  SwaggerModule.setup('swagger', app, document, {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    swaggerOptions: { persistAuthorization: true },
  });
}
