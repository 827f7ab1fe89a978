// `npm run webspaces -- upgrade …`: upgrades of a cluster by the API, for admins. Exit 0 when it was done, 1 when the API refused, 2 when it was called wrongly.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

export const UPGRADE_USAGE = `npm run webspaces -- upgrade COMMAND --api URL --token FILE --cluster NAME
  plan IMAGE [--env NAME=VALUE]... [--instances stop|evacuate]    what an upgrade would do; changes nothing
  start IMAGE [the same]                                          plans, then waits for an approval
  list
  status, approve --hash HASH [--accept-point-of-no-return], pause, resume, retry, abort, skip GATE, report [--html]
        [--id ID] [--reason TEXT]                                 the one that is under way when no id is given`;

const OPTIONS = {
  api: { type: 'string' },
  token: { type: 'string' },
  cluster: { type: 'string' },
  id: { type: 'string' },
  hash: { type: 'string' },
  reason: { type: 'string' },
  instances: { type: 'string' },
  env: { type: 'string', multiple: true },
  html: { type: 'boolean' },
  'accept-point-of-no-return': { type: 'boolean' },
};
const WITH_ARGUMENT = new Set(['plan', 'start', 'skip']);
const ORDERS = new Set(['approve', 'pause', 'resume', 'retry', 'abort', 'skip']);
const COMMANDS = new Set([...WITH_ARGUMENT, ...ORDERS, 'list', 'status', 'report']);
/** An API that waits for its systems answers within this. */
const TIMEOUT_MS = 120_000;

class Misuse extends Error {}

export async function upgradeCommand(args) {
  try {
    console.log(await run(parse(args)));
    return 0;
  } catch (error) {
    if (error instanceof Misuse) {
      console.error(`${error.message}\nUsage: ${UPGRADE_USAGE}`);
      return 2;
    }
    console.error(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
    return 1;
  }
}

function parse(args) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new Misuse(error.message);
  }
  const [command, argument, ...more] = parsed.positionals;
  if (!COMMANDS.has(command)) throw new Misuse(`Unknown command "${command ?? ''}".`);
  if ((argument !== undefined) !== WITH_ARGUMENT.has(command) || more.length > 0) {
    throw new Misuse(`${command} takes ${WITH_ARGUMENT.has(command) ? 'one argument' : 'no argument'}.`);
  }
  const { api, token, cluster } = parsed.values;
  for (const [name, value] of Object.entries({ api, token, cluster })) if (value === undefined) throw new Misuse(`--${name} is needed.`);
  if (command === 'skip' && !parsed.values.reason) throw new Misuse('skip needs --reason: it goes into the report.');
  if (command === 'approve' && !parsed.values.hash) throw new Misuse('approve needs --hash: that of the plan you have read.');
  return { command, argument, ...parsed.values };
}

async function run({ command, argument, id, ...options }) {
  const call = caller(options);
  if (command === 'plan' || command === 'start') return begin(call, { command, image: argument, ...options });
  if (command === 'list')
    return (await call('GET', '')).upgrades.map(({ id: one, status, startedAt }) => `${one} ${status} ${startedAt}`).join('\n');
  const at = `/${id ?? (await running(call, options.cluster))}`;
  if (command === 'status') return statusText(await call('GET', at));
  if (command === 'report') {
    const report = await call('GET', `${at}/report`, undefined, options.html ? 'text/html' : 'application/json');
    return options.html ? report : JSON.stringify(report, undefined, 2);
  }
  return (await call('POST', `${at}/${command}`, orderOf({ command, argument, ...options }))).answer;
}

function orderOf({ command, argument, hash, reason, ...options }) {
  if (command === 'approve') return { hash, ...(options['accept-point-of-no-return'] ? { acceptPointOfNoReturn: true } : {}) };
  return { ...(command === 'skip' ? { gate: argument } : {}), ...(reason === undefined ? {} : { reason }) };
}

async function begin(call, { command, image, env = [], instances }) {
  const environment = Object.fromEntries(env.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]));
  const body = { image, ...(env.length > 0 ? { environment } : {}), ...(instances ? { instances } : {}), dryRun: command === 'plan' };
  const answer = await call('POST', '', body);
  return command === 'plan' ? planText(answer) : `${answer.id}\nIt plans now, and waits for an approval then: upgrade status.`;
}

async function running(call, cluster) {
  const found = (await call('GET', '')).upgrades.find(({ status }) => status === 'running');
  if (!found) throw new Error(`No upgrade of ${cluster} is under way. For one that has ended give --id; upgrade list tells them.`);
  return found.id;
}

function caller({ api, token, cluster }) {
  const base = `${api.replace(/\/+$/, '')}/v2/clusters/${encodeURIComponent(cluster)}/upgrades`;
  const authorization = `Bearer ${readFileSync(token, 'utf8').trim()}`;
  return async (method, path, body, accept = 'application/json') => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { authorization, accept },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${detailOf(text)}`);
    return accept === 'text/html' ? text : JSON.parse(text);
  };
}

function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return detail ?? text;
  } catch {
    return text;
  }
}

function planText({ plans, refusals, summary }) {
  const told = plans.map(({ kind, hash, why, replaced, outage, warnings, pointOfNoReturn, wayBack, steps }) =>
    [
      `${kind} ${hash}`,
      why,
      `order: ${replaced.map(({ member }) => member).join(', ')}`,
      `LXD's API away: ${Math.round(outage.api.seconds)} s (${outage.api.derivation})`,
      ...outage.members.map(({ member, seconds, derivation }) => `${member} away: ${Math.round(seconds)} s (${derivation})`),
      ...warnings.map(({ text }) => `WARNING ${text}`),
      `point of no return: ${pointOfNoReturn ? `${pointOfNoReturn.step}, since ${pointOfNoReturn.reason}` : 'none'}`,
      `way back: ${wayBack}`,
      `steps: ${steps.map(({ id }) => id).join(', ')}`,
    ].join('\n  '),
  );
  return [summary, ...refusals.map(({ reason, remedy }) => `REFUSED ${reason} ${remedy}`), ...told].filter(Boolean).join('\n');
}

function statusText({ id, status, upgrade, upgradeUnavailable, waits, error }) {
  const lines = [`${id} ${status}${upgrade ? `, ${upgrade.phase}` : ''}`];
  if (upgradeUnavailable) lines.push(upgradeUnavailable);
  if (error) lines.push(`${error.code}: ${error.message}`);
  for (const { wait, differences, refusals, steps, plans, approvedHash } of upgrade ? [upgrade] : []) {
    lines.push(...differences.map((text) => `changed: ${text}`), ...refusals.map(({ reason, remedy }) => `refused: ${reason} ${remedy}`));
    if (approvedHash === undefined) lines.push(planText({ plans, refusals: [], summary: '' }));
    lines.push(...steps.filter(({ state }) => state !== 'not-needed').map(stepText));
    if (wait) {
      lines.push(
        `waits for ${wait.for}${wait.progress ? ` (${wait.progress})` : ''}`,
        `since ${wait.since}, at most until ${wait.deadline}`,
      );
      lines.push(...wait.updates.map(({ name, who }) => `  may be sent: ${name} (${who})`));
    }
  }
  lines.push(
    ...waits.filter(({ reason }) => reason).map(({ reason, attempts }) => `now: ${reason}${attempts > 1 ? `, attempt ${attempts}` : ''}`),
  );
  return lines.filter(Boolean).join('\n');
}

function stepText({ step, state, way, outcome, error }) {
  const said = outcome ? (outcome.because ?? outcome.reason) : '';
  return `${state.padEnd(8)} ${way === 'back' ? 'back ' : ''}${step.id} ${error ? error.message : said}`.trimEnd();
}
