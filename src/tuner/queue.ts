/** Saves that are asked for faster than they are done. */

/**
 * Saves one at a time. Of the data that wait for their turn only the newest are saved, for all of them: each promise settles
 * once its data, or newer ones, are saved.
 */
export function oneAtATime<Data>(save: (data: Data) => Promise<void>): (data: Data) => Promise<void> {
  let last = Promise.resolve();
  let waiting: { data: Data; readonly saved: Promise<void> } | undefined;
  return (data) => {
    if (waiting) {
      waiting.data = data;
      return waiting.saved;
    }
    const run = async (): Promise<void> => {
      const newest = turn.data;
      waiting = undefined;
      await save(newest);
    };
    const turn = { data, saved: last.then(run, run) };
    waiting = turn;
    last = turn.saved;
    return turn.saved;
  };
}
