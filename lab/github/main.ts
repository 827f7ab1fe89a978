import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGithubDouble } from '#libs/testing/github-double/index.js';
import { FLUX, firstRelease } from '../flux/repository.js';

/**
 * `<folder> <port> <storage port> <token file>`: a simulator of GitHub that serves `<folder>/<owner>/<repository>/<tag, / as %2F>/<file>` as releases, and
 * repositories with files that are kept in `<folder>/.git.json`. The token in the file, made when it is not there, may write.
 */
const [root = '', port = '', storagePort = '', tokenFile = ''] = process.argv.slice(2);
mkdirSync(root, { recursive: true });
if (!existsSync(tokenFile)) writeFileSync(tokenFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
const double = await startGithubDouble({
  root,
  port: Number(port),
  storagePort: Number(storagePort),
  limits: { anonymous: 100_000, token: 1_000_000 },
  gitFile: join(root, '.git.json'),
  controls: 'http',
});
double.access.tokens.add(readFileSync(tokenFile, 'utf8').trim());
double.repository(FLUX.repository, { [FLUX.file]: firstRelease('exec') });
console.log(
  `${new Date().toISOString()} a simulator of GitHub serves the releases in ${root} at ${double.url}, their files at ${double.storageUrl}`,
);
