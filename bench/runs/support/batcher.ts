/**
 * Collects what is asked for while a batch is under way into the next one: the group commit that a careful user of a
 * database would write.
 */
export function makeBatcher<T>(writeAll: (items: T[]) => Promise<void>): (item: T) => Promise<void> {
  let waiting: T[] = [];
  let next: Promise<void> | undefined;
  let current = Promise.resolve();
  const write = async (before: Promise<void>): Promise<void> => {
    await before.catch(() => undefined);
    const items = waiting;
    waiting = [];
    next = undefined;
    await writeAll(items);
  };
  return (item) => {
    waiting.push(item);
    if (!next) current = next = write(current);
    return next;
  };
}
