/** Ctrl-C and its relatives: the first asks the job to stop and clean up, the second ends the process at once. */
import { SIGNAL_STATUSES, type StopSignal } from './exit-codes.ts';

/** What a job was stopped by; the reason of the `AbortSignal`. */
export class StoppedBySignal extends Error {
  readonly stopSignal: StopSignal;

  constructor(stopSignal: StopSignal) {
    super(`stopped by ${stopSignal}`);
    this.name = 'StoppedBySignal';
    this.stopSignal = stopSignal;
  }
}

/**
 * Listens for signals from now until `dispose`.
 *
 * @param onFirst - called once, after the abort.
 */
function listenForStop(onFirst: () => void): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const stop = (stopSignal: StopSignal) => {
    if (!controller.signal.aborted) {
      controller.abort(new StoppedBySignal(stopSignal));
      onFirst();
      return;
    }
    // Not process.exit(): that waits for worker threads, which may be inside a long native call. What it would
    // have run first is run here: it kills child processes and removes unfinished files. Then, without a
    // listener, the signal does what it does by itself: it ends the process, and the shell sees by what.
    process.emit('exit', SIGNAL_STATUSES[stopSignal]);
    process.removeAllListeners(stopSignal);
    process.kill(process.pid, stopSignal);
    process.kill(process.pid, 'SIGKILL');
  };
  const signals = Object.keys(SIGNAL_STATUSES) as StopSignal[];
  for (const name of signals) process.on(name, stop);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of signals) process.off(name, stop);
    },
  };
}

/**
 * Does `work`, which the first signal asks to stop.
 *
 * @param stderr - where the signal is answered.
 * @param clear - takes what shows progress from the terminal; called when a signal comes, and at the end.
 * @param outcome - what is said in addition to `stopping`.
 * @throws {@link StoppedBySignal} if it was stopped, whatever it failed with: it failed because of that.
 */
export async function untilStopped<Result>(
  {
    stderr,
    clear,
    outcome,
  }: {
    readonly stderr: { write(text: string): unknown };
    readonly clear: () => void;
    readonly outcome?: string | undefined;
  },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { signal, dispose } = listenForStop(() => {
    clear();
    stderr.write(
      `lcm-portrait: stopping${outcome === undefined ? '' : `, ${outcome}`}; again to end at once\n`,
    );
  });
  try {
    return await work(signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clear();
    dispose();
  }
}
