// `npm run webspaces -- upgrade …` and `… scale …`: upgrades and scalings of a cluster by the API, for admins. Exit 0 when it was done, 1 when the API
// refused, 2 when it was called wrongly.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const ORDERS_USAGE = `  list
  status, approve --hash HASH [--accept-point-of-no-return], pause, resume, retry, abort, skip GATE, report [--html]
        [--id ID] [--reason TEXT]                                 the one that is under way when no id is given`;

/** What the two have of their own. */
const GROUPS = {
  upgrade: {
    usage: `npm run webspaces -- upgrade COMMAND --api URL --token FILE --cluster NAME
  plan IMAGE [--env NAME=VALUE]... [--instances stop|evacuate]    what an upgrade would do; changes nothing
  start IMAGE [the same]                                          plans, then waits for an approval
${ORDERS_USAGE}`,
    path: 'upgrades',
    word: 'upgrade',
    options: {
      instances: { type: 'string' },
      env: { type: 'string', multiple: true },
      html: { type: 'boolean' },
      'accept-point-of-no-return': { type: 'boolean' },
    },
    body: ({ argument, env = [], instances }) => {
      const environment = Object.fromEntries(env.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]));
      return { image: argument, ...(env.length > 0 ? { environment } : {}), ...(instances ? { instances } : {}) };
    },
    planLines: ({ why, replaced, outage, warnings, pointOfNoReturn, wayBack }) => [
      why,
      `order: ${replaced.map(({ member }) => member).join(', ')}`,
      `LXD's API away: ${Math.round(outage.api.seconds)} s (${outage.api.derivation})`,
      ...outage.members.map(({ member, seconds, derivation }) => `${member} away: ${Math.round(seconds)} s (${derivation})`),
      ...warnings.map(({ text }) => `WARNING ${text}`),
      `point of no return: ${pointOfNoReturn ? `${pointOfNoReturn.step}, since ${pointOfNoReturn.reason}` : 'none'}`,
      `way back: ${wayBack}`,
    ],
  },
  scale: {
    usage: `npm run webspaces -- scale COMMAND --api URL --token FILE --cluster NAME
  plan MEMBERS [--volumes keep|delete] [--lost refused|given-up]  what it would do; changes nothing
  start MEMBERS [the same]                                        plans, then waits for an approval
${ORDERS_USAGE.replace(' [--accept-point-of-no-return]', '').replace(' [--html]', '')}`,
    path: 'scalings',
    word: 'scaling',
    options: { volumes: { type: 'string' }, lost: { type: 'string' } },
    body: ({ argument, volumes, lost }) => ({
      replicas: Number(argument),
      ...(volumes ? { volumes } : {}),
      ...(lost ? { lost } : {}),
    }),
    planLines: ({ from, to, coming, going, warnings }) => [
      `from ${from} to ${to}`,
      ...(coming.length > 0 ? [`coming: ${coming.join(', ')}`] : []),
      ...(going.length > 0 ? [`going: ${going.join(', ')}`] : []),
      ...warnings.map(({ text }) => `WARNING ${text}`),
    ],
  },
};

export const CLUSTER_USAGE = Object.values(GROUPS)
  .map(({ usage }) => usage)
  .join('\n       ');

const OPTIONS = {
  api: { type: 'string' },
  token: { type: 'string' },
  cluster: { type: 'string' },
  id: { type: 'string' },
  hash: { type: 'string' },
  reason: { type: 'string' },
};
const WITH_ARGUMENT = new Set(['plan', 'start', 'skip']);
const ORDERS = new Set(['approve', 'pause', 'resume', 'retry', 'abort', 'skip']);
const COMMANDS = new Set([...WITH_ARGUMENT, ...ORDERS, 'list', 'status', 'report']);
/** An API that waits for its systems answers within this. */
const TIMEOUT_MS = 120_000;

class Misuse extends Error {}

/** `group`: `upgrade` or `scale`. */
export async function clusterCommand(group, args) {
  const of = GROUPS[group];
  try {
    console.log(await run(of, parse(of, args)));
    return 0;
  } catch (error) {
    if (error instanceof Misuse) {
      console.error(`${error.message}\nUsage: ${of.usage}`);
      return 2;
    }
    console.error(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
    return 1;
  }
}

function parse(of, args) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: { ...OPTIONS, ...of.options }, allowPositionals: true });
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

async function run(of, { command, argument, id, ...options }) {
  const call = caller(of, options);
  if (command === 'plan' || command === 'start') return begin(of, call, { command, argument, ...options });
  if (command === 'list')
    return (await call('GET', ''))[of.path].map(({ id: one, status, startedAt }) => `${one} ${status} ${startedAt}`).join('\n');
  const at = `/${id ?? (await running(of, call, options.cluster))}`;
  if (command === 'status') return statusText(of, await call('GET', at));
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

async function begin(of, call, { command, ...options }) {
  const answer = await call('POST', '', { ...of.body(options), dryRun: command === 'plan' });
  if (command === 'plan') return planText(of, answer);
  return `${answer.id}\nIt plans now, and waits for an approval then: ${of.word === 'scaling' ? 'scale' : of.word} status.`;
}

async function running(of, call, cluster) {
  const found = (await call('GET', ''))[of.path].find(({ status }) => status === 'running');
  if (!found) throw new Error(`No ${of.word} of ${cluster} is under way. For one that has ended give --id; list tells them.`);
  return found.id;
}

function caller({ path: what }, { api, token, cluster }) {
  const base = `${api.replace(/\/+$/, '')}/v2/clusters/${encodeURIComponent(cluster)}/${what}`;
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

function planText(of, { plans, refusals, summary }) {
  const told = plans.map((plan) =>
    [`${plan.kind} ${plan.hash}`, ...of.planLines(plan), `steps: ${plan.steps.map(({ id }) => id).join(', ')}`].join('\n  '),
  );
  return [summary, ...refusals.map(({ reason, remedy }) => `REFUSED ${reason} ${remedy}`), ...told].filter(Boolean).join('\n');
}

function statusText(of, { id, status, waits, error, ...answer }) {
  const view = answer[of.word];
  const unavailable = answer[`${of.word}Unavailable`];
  const back = view?.phase === 'failed-step' && view.steps.some(({ way }) => way === 'back') ? ', on the way back' : '';
  const lines = [`${id} ${status}${view ? `, ${view.phase}${back}` : ''}`];
  if (unavailable) lines.push(unavailable);
  if (error) lines.push(`${error.code}: ${error.message}`);
  for (const { wait, differences, refusals, steps, plans, approvedHash } of view ? [view] : []) {
    lines.push(...differences.map((text) => `changed: ${text}`), ...refusals.map(({ reason, remedy }) => `refused: ${reason} ${remedy}`));
    if (approvedHash === undefined) lines.push(planText(of, { plans, refusals: [], summary: '' }));
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
