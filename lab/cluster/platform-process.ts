import { join } from 'node:path';
import { projectRoot } from '../project.js';

/** What a process of ours in a pod needs of this machine; read only. */
export function platformFolders(): { name: string; path: string; type: 'File' | 'Directory' }[] {
  const root = projectRoot();
  return [
    { name: 'node', path: process.execPath, type: 'File' },
    { name: 'dist', path: join(root, 'dist'), type: 'Directory' },
    { name: 'modules', path: join(root, 'node_modules'), type: 'Directory' },
    { name: 'package', path: join(root, 'package.json'), type: 'File' },
  ];
}

export function platformVolumes(): object[] {
  return platformFolders().map(({ name, path, type }) => ({ name, hostPath: { path, type } }));
}
