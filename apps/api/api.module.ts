import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, APP_PIPE } from '@nestjs/core';
import { type ApiDependencies, DEPENDENCIES } from './dependencies.js';
import { HealthController } from './health/health.controller.js';
import { HealthService } from './health/health.service.js';
import { AuthGuard } from './http/auth.guard.js';
import { SchemaPipe } from './http/schema.pipe.js';
import { ServerSentEvents } from './http/server-sent-events.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { Changes } from './operations/changes.service.js';
import { Starter } from './operations/starter.service.js';
import { LxdReads } from './reads/lxd-reads.js';
import { Commands } from './streams/commands.service.js';
import { ConsoleStreams } from './streams/console.service.js';
import { ConsoleLogs } from './streams/console-logs.service.js';
import { ExecStreams } from './streams/exec.service.js';
import { StreamSockets } from './streams/stream-sockets.service.js';
import { Targets } from './streams/targets.service.js';
import { Tickets } from './streams/tickets.service.js';
import { ChangeWebspace } from './v1/change-webspace.service.js';
import { ConfigController } from './v1/config.controller.js';
import { DomainsController } from './v1/domains.controller.js';
import { ImagesController } from './v1/images.controller.js';
import { PortsController } from './v1/ports.controller.js';
import { ReadWebspace } from './v1/read-webspace.service.js';
import { StateController } from './v1/state.controller.js';
import { StreamsController } from './v1/streams.controller.js';
import { WebspaceController } from './v1/webspace.controller.js';
import { AccountsController } from './v2/accounts.controller.js';
import { Accounts } from './v2/accounts.service.js';
import { AdoptionsController } from './v2/adoptions.controller.js';
import { Adoptions } from './v2/adoptions.service.js';
import { ClustersController } from './v2/clusters.controller.js';
import { Clusters } from './v2/clusters.service.js';
import { CommandsController } from './v2/commands.controller.js';
import { EventStreams } from './v2/event-streams.service.js';
import { GithubWebhookController } from './v2/github-webhook.controller.js';
import { ImagesV2Controller } from './v2/images.controller.js';
import { Images } from './v2/images.service.js';
import { OperationsController } from './v2/operations.controller.js';
import { OperationsOfCaller } from './v2/operations.service.js';
import { PortForwardsController } from './v2/port-forwards.controller.js';
import { ScalingsController } from './v2/scalings.controller.js';
import { Scalings } from './v2/scalings.service.js';
import { UpgradesController } from './v2/upgrades.controller.js';
import { Upgrades } from './v2/upgrades.service.js';
import { WebspacesController } from './v2/webspaces.controller.js';
import { Webspaces } from './v2/webspaces.service.js';

@Module({})
class ApiModule {}

export function apiModule(dependencies: ApiDependencies): DynamicModule {
  return {
    module: ApiModule,
    controllers: [
      ImagesController,
      WebspaceController,
      StateController,
      ConfigController,
      PortsController,
      StreamsController,
      DomainsController,
      WebspacesController,
      CommandsController,
      PortForwardsController,
      AdoptionsController,
      ImagesV2Controller,
      GithubWebhookController,
      OperationsController,
      AccountsController,
      ClustersController,
      UpgradesController,
      ScalingsController,
      HealthController,
      MetricsController,
    ],
    providers: [
      { provide: DEPENDENCIES, useValue: dependencies },
      { provide: APP_GUARD, useClass: AuthGuard },
      { provide: APP_PIPE, useClass: SchemaPipe },
      LxdReads,
      Starter,
      ReadWebspace,
      ChangeWebspace,
      Changes,
      Webspaces,
      Targets,
      StreamSockets,
      ConsoleStreams,
      ExecStreams,
      Commands,
      Tickets,
      ConsoleLogs,
      OperationsOfCaller,
      Adoptions,
      Images,
      Accounts,
      Clusters,
      Upgrades,
      Scalings,
      EventStreams,
      ServerSentEvents,
      HealthService,
    ],
  };
}
