/** Runs a transfer in its turn. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** Lets a few transfers run at a time; the others wait in their order. */
export function createGate(free: number): Gate {
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
