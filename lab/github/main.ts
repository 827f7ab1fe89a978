import { startGithubDouble } from '#libs/testing/github-double/index.js';

/** `<folder> <port> <storage port>`: a simulator of GitHub that serves `<folder>/<owner>/<repository>/<tag, / as %2F>/<file>` as releases. */
const [root = '', port = '', storagePort = ''] = process.argv.slice(2);
const { url, storageUrl } = await startGithubDouble({
  root,
  port: Number(port),
  storagePort: Number(storagePort),
  limits: { anonymous: 100_000 },
});
console.log(`${new Date().toISOString()} a simulator of GitHub serves the releases in ${root} at ${url}, their files at ${storageUrl}`);
