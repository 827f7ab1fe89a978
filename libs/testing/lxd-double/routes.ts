import { type AttachedById, attachConsole, exec } from './exec.js';
import { consoleLog, instanceFiles, instanceLogs } from './file-routes.js';
import { aliases, images, oneAlias, oneImage } from './image-routes.js';
import { createInstance, instanceState, listInstances, oneInstance } from './instance-routes.js';
import { type DoubleRequest, Refusal, type Reply, refuse } from './reply.js';
import { certificates, members, oneCertificate, oneOperation, operations, poolResources, profile, server } from './server-routes.js';
import type { World } from './world.js';

export interface Caller {
  readonly world: World;
  readonly attachments: AttachedById;
  readonly trusted: boolean;
}

/** Answers one request as LXD does. */
export async function route(caller: Caller, request: DoubleRequest): Promise<Reply> {
  try {
    return await routed(caller, request);
  } catch (error) {
    if (error instanceof Refusal) return refuse(error.status, error.message);
    throw error;
  }
}

async function routed({ world, attachments, trusted }: Caller, request: DoubleRequest): Promise<Reply> {
  const [resource, , part] = request.parts;
  if (resource === undefined) return server(world, trusted);
  if (!trusted) throw new Refusal(403, 'not authorized');
  const depth = request.parts.length;
  switch (resource) {
    case 'instances':
      if (depth === 1) return request.method === 'POST' ? createInstance(world, request) : listInstances(world, request);
      return depth === 2 ? oneInstance(world, request) : instancePart(world, attachments, request);
    case 'images':
      if (request.parts[1] === 'aliases') return depth === 2 ? aliases(world, request) : oneAlias(world, request);
      return depth === 1 ? images(world, request) : oneImage(world, request);
    case 'operations':
      return depth === 1 ? operations(world) : await oneOperation(world, request);
    case 'certificates':
      return depth === 1 ? certificates(world, request) : oneCertificate(world, request);
    case 'profiles':
      if (depth === 2 && request.method === 'GET') return profile(request);
      break;
    case 'storage-pools':
      if (depth === 3 && part === 'resources' && request.method === 'GET') return poolResources(world, request);
      break;
    case 'cluster':
      if (request.parts[1] === 'members' && part === undefined) return members(world);
  }
  throw new Refusal(404, 'not found');
}

function instancePart(world: World, attachments: AttachedById, request: DoubleRequest): Reply {
  switch (request.parts[2]) {
    case 'state':
      return instanceState(world, request);
    case 'files':
      return instanceFiles(world, request);
    case 'logs':
      return instanceLogs(world, request);
    case 'console':
      return request.method === 'POST' ? attachConsole(world, attachments, request) : consoleLog(world, request);
    case 'exec':
      return exec(world, attachments, request);
    default:
      throw new Refusal(404, 'not found');
  }
}
