import type { Logger } from 'pino';
import type { GatewayConfig } from '#libs/config/gateway.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { FurtherAnswers } from '#libs/service/health-server.js';
import type { Boots } from './boots.js';
import type { Directory } from './directory.js';
import type { GatewayMetrics } from './metrics.js';

/** What both roles are made of. */
export interface Parts {
  readonly config: GatewayConfig;
  readonly directory: Directory;
  readonly boots: Boots;
  readonly kube: KubernetesClient;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
}

/** A running role. */
export interface Role {
  /** Reasons why it cannot serve, by part; empty when it can. */
  notReady(): Readonly<Record<string, string>>;
  /** What it cannot do for all although it serves, by part; shown at /health/ready, which says ready. */
  warnings?(): Readonly<Record<string, string>>;
  /** What it answers beside health and metrics. */
  readonly answers?: FurtherAnswers;
  /** Takes no more visitors; ends when those it has are gone, or with the deadline. */
  drain(deadlineMs: number): Promise<void>;
}
