import { startDnsServer } from './server.js';

const [host = '', port = '', namesFile = ''] = process.argv.slice(2);
await startDnsServer({ host, port: Number(port), namesFile }, (line) => console.log(`${new Date().toISOString()} ${line}`));
