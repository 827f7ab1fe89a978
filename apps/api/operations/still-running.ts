import { PlatformError } from '#libs/errors/platform-error.js';

/** The wait for a result is over, the operation is not: 504 with the way to follow it. */
export class StillRunning extends PlatformError {
  constructor(operation: string) {
    super('UNAVAILABLE', `The operation takes longer than this request may wait. It goes on: follow it at /v2/operations/${operation}.`, {
      details: { operation, legacyMessage: `timed out; operation ${operation} goes on` },
    });
    this.name = 'StillRunning';
  }
}
