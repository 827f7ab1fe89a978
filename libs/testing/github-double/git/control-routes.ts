import { text } from 'node:stream/consumers';
import { json, type Question, type Reply, refusal } from '../reply.js';
import { Person } from './person.js';
import type { GitStore } from './store.js';

type Body = Readonly<Record<string, string | undefined>>;

/**
 * Not GitHub's: how somebody acts as a person in a simulator. `POST /_simulator/{owner}/{repo}/{push,write,merge,revert,close,reopen,check,rules}` with JSON:
 * `by`, and `file`, `from`, `to`, `text`, `branch`; `number`; `name`, `state`; `reviews`. Who reaches the port may do it.
 */
export async function answerControl(store: GitStore, { method, parts, body: sent }: Question): Promise<Reply> {
  const [, owner, repo, action = ''] = parts;
  const repository = store.find(`${owner}/${repo}`);
  if (!repository || method !== 'POST') return refusal(404, 'The simulator knows no such thing');
  try {
    const body = JSON.parse((sent && (await text(sent))) || '{}') as Body;
    const person = new Person(repository, body['by'] ?? 'somebody');
    if (action === 'rules') repository.setRules({ reviews: body['reviews'] === 'needed' ? 'needed' : 'none' });
    const did = act(person, action, body);
    return did === 'unknown' && action !== 'rules'
      ? refusal(404, 'The simulator knows no such act')
      : json(200, { simulator: 'of GitHub', did: action });
  } catch (error) {
    return refusal(422, error instanceof Error ? error.message : String(error));
  }
}

function act(
  person: Person,
  action: string,
  { file = '', from = '', to = '', text: content = '', branch, number, name = '', state }: Body,
): 'done' | 'unknown' {
  if (action === 'push') person.push(file, from, to, branch);
  else if (action === 'write') person.write(file, content, branch);
  else if (action === 'merge') person.merge(Number(number));
  else if (action === 'revert') person.revert(Number(number));
  else if (action === 'close') person.close(Number(number));
  else if (action === 'reopen') person.reopen(Number(number));
  else if (action === 'check') person.check(Number(number), name, state === 'passed' || state === 'failed' ? state : 'pending');
  else return 'unknown';
  return 'done';
}
