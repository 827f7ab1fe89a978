import { setTimeout as delay } from 'node:timers/promises';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { MEMORY_LOOK_SECONDS } from '#libs/domain/memory.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import type { LxdView, LxdWatch } from '../lxd-watch.js';
import { enter } from './cluster/enter.js';
import type { KeepCluster } from './cluster/keep-cluster.js';
import { isOwnName } from './cluster/peers.js';
import type { ClusterRecord } from './cluster/record.js';
import type { LeftRunning } from './left-running.js';
import type { TellMemory } from './memory/tell-memory.js';
import type { KeepPreseed } from './preseed/keep-preseed.js';
import type { LxdKeeper, LxdProcessView } from './runtime/lxd-keeper.js';
import type { Runtime } from './runtime/runtime.js';
import type { MemberState, Phase } from './state.js';
import { stopMember } from './stop.js';
import { holdVolume, type Release } from './volumes/hold.js';
import type { Marker } from './volumes/marker.js';
import { checkVolumes } from './volumes/volumes.js';

export interface MemberParts {
  readonly config: Lxd8sMemberConfig;
  readonly runtime: Runtime;
  readonly keeper: LxdKeeper;
  readonly watch: LxdWatch;
  readonly lxd: OwnMember;
  readonly leftRunning: LeftRunning;
  readonly record: ClusterRecord;
  readonly cluster: KeepCluster;
  readonly preseed: KeepPreseed | undefined;
  readonly memory: TellMemory | undefined;
  readonly log: Logger;
}

/** Of the grace period, for the end of this process itself. */
const MARGIN_MS = 500;
/** Rounds follow each other quickly while each brings the member on. */
const STEP_SECONDS = 0.5;
/** So long an LXD may wait for others before it is asked whether they know it. */
const STRANGER_SECONDS = 20;
/** How long the member's name may lead elsewhere before LXD is started all the same. */
const NAME_MS = 60_000;

/** One member: looks again and again at what is, and does what is next. Nothing that goes wrong ends it. */
export class Member {
  readonly #parts: MemberParts;
  readonly #stopping = new AbortController();
  #release: Release | undefined;
  #usableSince = 0;
  /** Whether the record knows another volume of this member, or none, and when that was asked. */
  #stranger = false;
  #asked = 0;
  #phase: Phase = 'volumes';
  #why = 'the volumes have not been looked at yet';
  #clustered: boolean | undefined;
  #volume: Marker | undefined;
  #ready = false;
  #preparing = false;
  #refused = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
  }

  state(): MemberState {
    const { config, watch, keeper, cluster, preseed, memory } = this.#parts;
    const free = memory?.view();
    const lxd = { ...keeper.view(), ...watch.view() };
    return {
      member: config.member,
      phase: this.#phase,
      why: this.#why,
      waits:
        this.#phase === 'volumes' ||
        this.#phase === 'entering' ||
        (this.#phase === 'starting' && (lxd.is === 'waiting' || this.#starts(lxd))),
      ...(this.#clustered === undefined ? {} : { clustered: this.#clustered }),
      ...(cluster.id === undefined ? {} : { cluster: cluster.id }),
      lxd,
      problems: cluster.problems(),
      ...(preseed ? { preseed: preseed.view() } : {}),
      ...(free ? { memory: free } : {}),
    };
  }

  /** Whether the place for LXD is being made, or LXD has the time that it takes to start in it. */
  #starts({ startedAt }: LxdProcessView): boolean {
    const since = startedAt === undefined ? this.#usableSince : Date.parse(startedAt);
    return this.#preparing || Date.now() - since < this.#parts.runtime.startsWithinMs;
  }

  /** Until {@link stop}. */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const before = `${this.#phase} ${this.#why}`;
      try {
        await this.#round(signal);
      } catch (error) {
        if (!signal.aborted) this.#is(this.#phase, messageOf(error));
      }
      const moves = this.#phase === 'starting' || before !== `${this.#phase} ${this.#why}`;
      const seconds = moves ? Math.min(STEP_SECONDS, this.#parts.config.everySeconds) : this.#parts.config.everySeconds;
      await this.#pause(seconds * 1000, signal);
    }
  }

  /** Ends containers and LXD, in order and in time. */
  async stop(): Promise<void> {
    const { config, keeper, watch, runtime, lxd, leftRunning, cluster, log } = this.#parts;
    this.#stopping.abort();
    this.#is('stopping', 'it was asked to end');
    await cluster.close();
    const until = Date.now() + config.stop.graceSeconds * 1000 - MARGIN_MS;
    await stopMember({ runtime, lxd, leftRunning, run: keeper.release(), serves: watch.view().is === 'serving', ...config.stop, log });
    await lxd.close();
    await runtime.close(until);
    this.#release?.();
  }

  /** Looks at the memory meanwhile: the worker counts on that, however seldom the rounds are. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + ms;
    for (;;) {
      const left = Math.max(until - performance.now(), 0);
      // Rejects only when it ends.
      await delay(Math.min(left, MEMORY_LOOK_SECONDS * 1000), undefined, { signal }).catch(() => undefined);
      if (signal.aborted || left <= MEMORY_LOOK_SECONDS * 1000) return;
      if (this.#parts.memory && this.#phase === 'serving') await this.#lookAtPlace(signal);
    }
  }

  async #lookAtPlace(signal: AbortSignal): Promise<void> {
    const { runtime, cluster, memory } = this.#parts;
    await cluster.attempt('machine', () => runtime.look());
    if (memory) await cluster.attempt('memory', () => memory.look(signal));
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { config, watch, lxd, leftRunning, cluster, preseed } = this.#parts;
    if (!(await this.#prepared(signal))) return;
    await watch.look(signal);
    const seen = watch.view();
    if (seen.is !== 'serving') return this.#is('starting', await this.#whyNot(seen, signal));
    this.#clustered = (await lxd.cluster({ signal })).enabled;
    const volume = this.#volume;
    if (!volume) return;
    const wanted = preseed && (await cluster.attempt('preseed file', () => preseed.ready()));
    if (this.#clustered) {
      this.#is('serving', 'LXD serves');
      await this.#lookAtPlace(signal);
      leftRunning.startAgain({ lxd: lxd.connection, tell: (why) => cluster.problem('instances', why) }, signal);
      this.#volume = await cluster.keep(volume, signal);
    } else {
      this.#is('entering', this.#phase === 'entering' ? this.#why : 'its LXD is in no cluster yet');
      const { record, log } = this.#parts;
      this.#is('entering', await enter({ config, lxd, record, volume: volume.uid, preseed: wanted, log }, signal));
    }
  }

  /** An LXD that the cluster does not know any more waits for ever, and does not say so itself. */
  async #whyNot({ is, said, seconds }: LxdView, signal: AbortSignal): Promise<string> {
    const why = `LXD ${is === 'waiting' ? 'answers and does not serve' : 'is silent'} (${said})`;
    const { config, record } = this.#parts;
    if (this.#volume?.cluster === undefined || seconds < STRANGER_SECONDS) return why;
    if (Date.now() - this.#asked > config.everySeconds * 1000) {
      this.#asked = Date.now();
      const known = await record.read(signal).catch(() => undefined);
      this.#stranger = known?.phase === 'formed' && known.volumes[config.member] !== this.#volume.uid;
    }
    return this.#stranger ? `${why}; the cluster does not know its volume (any more): it was taken out, or has joined on another one` : why;
  }

  /** Volumes that can be used, a place for LXD, and its name; then LXD runs. */
  async #prepared(signal: AbortSignal): Promise<boolean> {
    const { config, runtime, keeper } = this.#parts;
    if (this.#ready) return true;
    if (!this.#volume) {
      const checked = await checkVolumes(config);
      if (!checked.usable) {
        this.#is('volumes', checked.why);
        return false;
      }
      try {
        this.#release ??= await holdVolume(config.lxd.folder);
      } catch (error) {
        this.#is('volumes', messageOf(error));
        return false;
      }
      try {
        this.#preparing = true;
        // What was refused before stays said until it is otherwise.
        if (!this.#refused) this.#is('starting', 'the place for LXD is made ready');
        await runtime.prepare(signal);
        this.#refused = false;
      } catch (error) {
        this.#refused = true;
        // A volume is waited for; what else is missing may come by another start of the pod.
        this.#is(isPlatformError(error) && error.details['part'] === 'volume' ? 'volumes' : 'starting', messageOf(error));
        return false;
      } finally {
        this.#preparing = false;
      }
      this.#volume = checked.marker;
      this.#usableSince = Date.now();
    }
    const name = `${config.member}.${config.domain}`;
    if (Date.now() - this.#usableSince < NAME_MS && !(await isOwnName(name).catch(() => false))) {
      this.#is('starting', `${name} does not lead to this pod yet`);
      return false;
    }
    signal.throwIfAborted();
    keeper.start();
    this.#ready = true;
    return true;
  }

  #is(phase: Phase, why: string): void {
    // What was under way when the end was asked for says nothing more.
    if (this.#phase === 'stopping') return;
    if (phase !== this.#phase || why !== this.#why) this.#parts.log.info({ phase, why }, 'the member');
    this.#phase = phase;
    this.#why = why;
  }
}
