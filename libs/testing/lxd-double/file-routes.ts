import type { DoubleFile, DoubleInstance } from './model.js';
import { bytes, type DoubleRequest, Refusal, type Reply, sync } from './reply.js';
import type { World } from './world.js';

export function instanceFiles(world: World, request: DoubleRequest): Reply {
  const { files } = world.instance(request.parts[1] ?? '');
  const path = normalized(request.query.get('path') ?? '');
  switch (request.method) {
    case 'GET':
      return read(files, path);
    case 'POST':
      return write(files, path, request);
    case 'DELETE':
      return unlink(files, path);
    default:
      throw new Refusal(501, 'not implemented');
  }
}

function read(files: DoubleInstance['files'], path: string): Reply {
  const file = files.get(path);
  if (!file) throw new Refusal(404, 'Not Found');
  const headers = {
    'x-lxd-type': file.type,
    'x-lxd-uid': String(file.uid),
    'x-lxd-gid': String(file.gid),
    'x-lxd-mode': `0${file.mode.toString(8)}`,
    'x-lxd-modified': '2026-01-01 00:00:00 +0000 UTC',
  };
  if (file.type !== 'directory') return bytes(file.content, headers);
  return sync(
    childrenOf(files, path).map((child) => child.slice(child.lastIndexOf('/') + 1)),
    headers,
  );
}

function write(files: DoubleInstance['files'], path: string, { headers, body }: DoubleRequest): Reply {
  const parent = path.slice(0, path.lastIndexOf('/')) || '/';
  if (files.get(parent)?.type !== 'directory') throw new Refusal(404, 'Not Found');
  const type = (headers['x-lxd-type'] ?? 'file') as DoubleFile['type'];
  // LXD writes an empty file then (LXD 5.0.2, tried).
  const isForm = headers['content-type'] === 'application/x-www-form-urlencoded';
  files.set(path, {
    type,
    content: type === 'directory' || isForm ? Buffer.alloc(0) : body,
    uid: Number(headers['x-lxd-uid'] ?? 0),
    gid: Number(headers['x-lxd-gid'] ?? 0),
    mode: Number.parseInt(String(headers['x-lxd-mode'] ?? (type === 'directory' ? '0755' : '0644')), 8),
  });
  return sync({});
}

function unlink(files: DoubleInstance['files'], path: string): Reply {
  if (!files.has(path)) throw new Refusal(404, 'Not Found');
  if (childrenOf(files, path).length > 0) throw new Refusal(500, `sftp: "remove ${path}: directory not empty" (SSH_FX_FAILURE)`);
  files.delete(path);
  return sync({});
}

function childrenOf(files: DoubleInstance['files'], path: string): string[] {
  const prefix = path === '/' ? '/' : `${path}/`;
  return [...files.keys()].filter((each) => each !== '/' && each.startsWith(prefix) && !each.slice(prefix.length).includes('/'));
}

function normalized(path: string): string {
  return `/${path.split('/').filter(Boolean).join('/')}`;
}

export function consoleLog(world: World, request: DoubleRequest): Reply {
  const instance = world.instance(request.parts[1] ?? '');
  if (request.method === 'GET') {
    if (!instance.consoleLog) throw new Refusal(500, `open /var/log/lxd/${instance.name}/console.log: no such file or directory`);
    return bytes(instance.consoleLog);
  }
  if (request.method !== 'DELETE') throw new Refusal(501, 'not implemented');
  instance.consoleLog = Buffer.alloc(0);
  return sync({});
}

export function instanceLogs(world: World, request: DoubleRequest): Reply {
  const instance = world.instance(request.parts[1] ?? '');
  const file = request.parts[3];
  if (file === undefined) return sync([...instance.logs.keys()].map((name) => `/1.0/instances/${instance.name}/logs/${name}`));
  if (!/^(lxc\.(log|conf|log\.old)|console\.log|exec_[\w-]+\.(stdout|stderr))$/.test(file)) {
    throw new Refusal(400, `log file name ${file} not valid`);
  }
  const content = instance.logs.get(file);
  if (!content) throw new Refusal(404, 'Not Found');
  if (request.method === 'GET') return bytes(content);
  instance.logs.delete(file);
  return sync({});
}
