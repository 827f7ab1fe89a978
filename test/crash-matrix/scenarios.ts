import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { WebspaceChange } from '#libs/contracts/operations.js';
import { sealingFromFile } from '#libs/sealing/sealing.js';
import type { Member, Started } from '../support/direct.js';
import { fakeAptImage, INSTALLS } from '../support/package-images.js';
import type { Stage } from './stage.js';

/** One operation with a known outcome, to be disturbed. */
export interface Scenario {
  readonly name: string;
  readonly kind: 'create' | 'delete' | 'change';
  /** What the webspace must be when the operation has ended as `result` says. */
  readonly expected: 'whole' | 'nothing';
  readonly result: 'completed' | 'failed';
  /** Only the activities after a failed one: those that undo. */
  readonly undoOnly: boolean;
  /** No other scenario of its kind runs further activities. */
  readonly coversItsKind: boolean;
  /** How long four at once take on a small machine, about. */
  readonly fourTakeMs: number;
  /** Members on whose webspaces it can be run. */
  prepare(stage: Stage, count: number): Promise<Member[]>;
  start(stage: Stage, who: Member, operationId: string): Promise<Started>;
  /** What a whole webspace lacks although it was asked for. */
  lacks?(stage: Stage, who: Member): Promise<string[]>;
}

const fresh = async (stage: Stage, count: number) => Array.from({ length: count }, () => stage.member());

/** The last step of a creation before its commit point refuses: all steps before it are undone. */
const REFUSED = 'awaitReady';
const APT = 'apt';
const HASH = '$6$crash$matrix';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKLUPU5dgVbkAWTNzCsJkG1fFNEgT3ZsnOAXaUdpD3wq a member';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'create',
    kind: 'create',
    expected: 'whole',
    result: 'completed',
    undoOnly: false,
    coversItsKind: false,
    fourTakeMs: 600,
    prepare: fresh,
    start: (stage, who, operationId) => stage.direct.create(who, { operationId }),
  },
  {
    name: 'create and boot',
    kind: 'create',
    expected: 'whole',
    result: 'completed',
    undoOnly: false,
    coversItsKind: true,
    fourTakeMs: 1_800,
    prepare: fresh,
    start: (stage, who, operationId) => stage.direct.create(who, { operationId, boot: true }),
  },
  {
    name: 'create with password and ssh',
    kind: 'create',
    expected: 'whole',
    result: 'completed',
    undoOnly: false,
    coversItsKind: true,
    fourTakeMs: 4_000,
    async prepare(stage, count) {
      await stage.lab.importImage(APT, fakeAptImage(APT, INSTALLS));
      return fresh(stage, count);
    },
    start(stage, who, operationId) {
      const uid = randomUUID();
      const passwordHash = sealingFromFile({ keyFile: join(stage.lab.profile.paths.apps, 'sealing.json') }).seal(HASH, {
        uid,
        operationId,
      });
      return stage.direct.create(who, { operationId, uid, image: APT, extras: { passwordHash, sshKey: KEY } });
    },
    async lacks(stage, { name }) {
      const file = (path: string) => stage.lab.lxc(['file', 'pull', `${name}${path}`, '-']).catch(() => '');
      const [shadow, keys, server] = await Promise.all(['/etc/shadow', '/root/.ssh/authorized_keys', '/usr/sbin/sshd'].map(file));
      return [
        ...(shadow?.includes(`root:${HASH}:`) && shadow.includes('\nnobody:') ? [] : [`/etc/shadow is ${JSON.stringify(shadow)}`]),
        ...(keys === `${KEY}\n` ? [] : [`authorized_keys is ${JSON.stringify(keys)}`]),
        ...(server ? [] : ['there is no SSH server']),
      ];
    },
  },
  {
    name: 'create, undone',
    kind: 'create',
    expected: 'nothing',
    result: 'failed',
    undoOnly: true,
    coversItsKind: true,
    fourTakeMs: 1_500,
    prepare: fresh,
    async start(stage, who, operationId) {
      const workflowId = stage.direct.workflowIdOf('create', who, operationId);
      stage.traps.refuse([...stage.traps.refusals(), { workflowId, activity: REFUSED }]);
      return stage.direct.create(who, { operationId, boot: true });
    },
  },
  {
    name: 'change',
    kind: 'change',
    expected: 'whole',
    result: 'completed',
    undoOnly: false,
    coversItsKind: true,
    fourTakeMs: 400,
    prepare: (stage, count) => existing(stage, count, 'stopped'),
    start: (stage, who, operationId) => stage.direct.change(who, aChange(), operationId),
  },
  {
    name: 'delete stopped',
    kind: 'delete',
    expected: 'nothing',
    result: 'completed',
    undoOnly: false,
    coversItsKind: false,
    fourTakeMs: 600,
    prepare: (stage, count) => existing(stage, count, 'stopped'),
    start: (stage, who, operationId) => stage.direct.run('delete', who, operationId),
  },
  {
    name: 'delete running',
    kind: 'delete',
    expected: 'nothing',
    result: 'completed',
    undoOnly: false,
    coversItsKind: true,
    fourTakeMs: 1_200,
    prepare: (stage, count) => existing(stage, count, 'running'),
    start: (stage, who, operationId) => stage.direct.run('delete', who, operationId),
  },
];

let nextPort = 50_000;

/** Something of everything: a port of one's choice, any port, and the configuration. */
function aChange(): WebspaceChange {
  const external = nextPort++;
  return {
    config: { httpPort: external % 2 === 0 ? 80 : 8080 },
    ports: {
      add: [
        { protocol: 'udp', external, internal: 53 },
        { protocol: 'tcp', internal: 22 },
      ],
      remove: [],
    },
  };
}

/** Webspaces that former rounds left whole, and new ones when these are too few. */
async function existing(stage: Stage, count: number, state: 'stopped' | 'running'): Promise<Member[]> {
  const taken = stage.pool[state].splice(0, count);
  const made = await Promise.all(
    Array.from({ length: count - taken.length }, async () => {
      const who = stage.member();
      const outcome = await stage.direct.outcome(await stage.direct.create(who, { boot: state === 'running' }), 60_000);
      if (outcome.is !== 'completed') throw new Error(`${who.name} could not be prepared: ${outcome.message}`);
      return who;
    }),
  );
  return [...taken, ...made];
}
