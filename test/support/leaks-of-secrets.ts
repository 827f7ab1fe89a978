import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Lab } from '#lab/harness.js';
import { textsOf } from '#libs/testing/histories.js';

const LOOK_EVERY_MS = 25;

/** Where none of the secrets may be: looked for in every form in which it may be written there. */
export class SecretSearch {
  readonly #forms: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#forms = secrets.flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ]);
  }

  /** Whether the text holds one. */
  isIn(text: string): boolean {
    return this.#forms.some((form) => text.includes(form));
  }

  /** Workflow ids whose histories hold one, of all that there are. */
  async inHistories(lab: Lab): Promise<{ readonly searched: number; readonly found: string[] }> {
    const connection = await Connection.connect({ address: lab.temporalAddress });
    try {
      const client = new Client({ connection });
      const found: string[] = [];
      let searched = 0;
      for await (const { workflowId, runId } of client.workflow.list()) {
        const history = JSON.parse(historyToJSON(await client.workflow.getHandle(workflowId, runId).fetchHistory())) as object;
        searched += 1;
        if (textsOf(history).some((text) => this.isIn(text))) found.push(workflowId);
      }
      return { searched, found };
    } finally {
      await connection.close();
    }
  }

  /** Log files of the lab's processes that hold one. */
  inLogs(lab: Lab): { readonly searched: readonly string[]; readonly found: string[] } {
    const searched = readdirSync(lab.profile.paths.logs);
    return { searched, found: searched.filter((file) => this.isIn(readFileSync(join(lab.profile.paths.logs, file), 'utf8'))) };
  }

  /** Kinds of Kubernetes objects, in all namespaces, of which some hold one. */
  async inKubernetes(lab: Lab): Promise<{ readonly searched: number; readonly found: string[] }> {
    const kinds = (await lab.kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n');
    const found: string[] = [];
    for (const kind of kinds) if (this.isIn(await lab.kubectl(['get', kind, '-A', '-o', 'json']))) found.push(kind);
    return { searched: kinds.length, found };
  }

  /** Looks through arguments and environments of all processes of the machine, those in containers too, until it is stopped. */
  watchProcesses(): () => { readonly looks: number; readonly found: string[] } {
    const found = new Set<string>();
    let looks = 0;
    const timer = setInterval(() => {
      looks += 1;
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
        for (const file of ['cmdline', 'environ']) if (this.isIn(procText(pid, file))) found.add(procText(pid, 'comm').trim());
      }
    }, LOOK_EVERY_MS);
    return () => {
      clearInterval(timer);
      return { looks, found: [...found] };
    };
  }
}

function procText(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended since
  }
}
