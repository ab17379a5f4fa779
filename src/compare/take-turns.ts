/** Several pieces of work that take turns, one at a time, so that whatever slows the machine down slows all of them. */

/** A piece of work: does something, hands the turn on by `pass` and goes on when `pass` returns. */
type TurnTaker = (pass: () => Promise<void>) => Promise<void>;

/**
 * Runs all of them to their ends, in the order of the list and round again; those that have ended are left out. After a
 * failure, the others' `pass` rejects with its error, and they end as well.
 *
 * @returns what became of each, once all have ended.
 */
export async function takeTurns(takers: readonly TurnTaker[]): Promise<PromiseSettledResult<void>[]> {
  const gates = takers.map(() => newGate());
  const ended = takers.map(() => false);
  let failure: { readonly error: unknown } | undefined;
  const openNext = (from: number): void => {
    for (let step = 1; step <= takers.length; step++) {
      const next = (from + step) % takers.length;
      if (!ended[next]) {
        gates[next]!.open();
        return;
      }
    }
  };
  const takeTurn = async (index: number): Promise<void> => {
    await gates[index]!.opened;
    gates[index] = newGate();
    if (failure !== undefined) throw failure.error;
  };
  const runs = takers.map(async (take, index) => {
    try {
      await takeTurn(index);
      await take(() => {
        const mine = takeTurn(index);
        openNext(index);
        return mine;
      });
    } catch (error) {
      failure ??= { error };
      throw error;
    } finally {
      ended[index] = true;
      openNext(index);
    }
  });
  gates[0]?.open();
  return Promise.allSettled(runs);
}

function newGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
