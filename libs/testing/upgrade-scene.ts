import type { UpgradeActivities, UpgradeSettings } from '#libs/contracts/upgrade-activities.js';
import { clusterLockOf, type UpgradeInput, type UpgradeReport } from '#libs/contracts/upgrades.js';
import type { DesiredUpgrade } from '#libs/domain/upgrade/desired.js';
import { desiredOf, REBUILT, simulationOf } from '#libs/domain/upgrade/narrations/scenarios.js';
import type { SimulationOptions } from '#libs/domain/upgrade/narrations/simulation.js';
import { ALICE } from './run-orders.js';
import { UpgradeWorld } from './upgrade-world.js';
import type { RigRun, WorkflowRig } from './workflow-rig.js';

export interface UpgradeScene {
  readonly members?: number;
  readonly world?: Partial<SimulationOptions>;
  readonly desired?: DesiredUpgrade;
  readonly settings?: Partial<UpgradeSettings>;
  readonly input?: Partial<UpgradeInput>;
  /** In place of those of the world. */
  readonly activities?: (world: UpgradeWorld) => Partial<UpgradeActivities>;
}

export type UpgradeRun = RigRun<UpgradeReport>;

/** An upgrade that alice asks for, by the real workflow against a simulated cluster. */
export async function playUpgrade(
  rig: WorkflowRig,
  scene: UpgradeScene,
  act: (run: UpgradeRun, world: UpgradeWorld) => Promise<void>,
): Promise<void> {
  const desired = scene.desired ?? desiredOf(REBUILT);
  const world = new UpgradeWorld(simulationOf(scene.members ?? 3, scene.world), desired, scene.settings);
  const input: UpgradeInput = {
    name: clusterLockOf('lab'),
    cluster: 'lab',
    operationId: 'op-1',
    requestedBy: ALICE,
    image: desired.build.image,
    environment: desired.build.environment,
    ...scene.input,
  };
  await rig.run<UpgradeReport>('upgradeLxd8s', input, { ...world.activities(), ...scene.activities?.(world) }, (run) => act(run, world));
}
