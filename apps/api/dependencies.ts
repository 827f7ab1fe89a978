import type { ApiConfig } from '#libs/config/api.js';
import type { Identity } from '#libs/identity/identity.js';
import type { Staging } from '#libs/images/staging.js';
import type { Logger } from '#libs/logging/logger.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { Sealing } from '#libs/sealing/sealing.js';
import type { Operations } from '#libs/temporal/operations.js';
import type { Metrics } from './metrics/metrics.js';

/** Everything the API uses of the outside; made in `main.ts`, replaced by doubles in tests. */
export interface ApiDependencies {
  readonly config: Pick<ApiConfig, 'publicUrl' | 'platform' | 'cors' | 'trustedProxies' | 'streams' | 'limits' | 'images'>;
  readonly logger: Logger;
  readonly lxd: LxdClient;
  readonly identity: Identity;
  readonly operations: Operations;
  readonly sealing: Sealing;
  readonly metrics: Metrics;
  readonly staging: Staging;
  /** Of GitHub's webhook, which is off without one. */
  readonly webhookSecret: string | undefined;
}

/** Injection token of {@link ApiDependencies}. */
export const DEPENDENCIES = Symbol('ApiDependencies');
