/** What ended a run of several parts: the first failure told; later ones are its consequences. */
export class FirstFailure {
  /** Rejects with the first failure; stays open as long as there is none. */
  readonly rejection: Promise<never>;
  readonly is: (error: unknown) => void;

  constructor() {
    let reject: (error: unknown) => void = () => undefined;
    this.rejection = new Promise<never>((_resolve, rejected) => {
      reject = rejected;
    });
    // Whoever waits for it sees it; that nobody does is no error.
    this.rejection.catch(() => undefined);
    this.is = (error) => reject(error);
  }
}
