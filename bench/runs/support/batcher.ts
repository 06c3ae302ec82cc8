/**
 * The group commit that a careful user of a database writes: items that come while a batch is being written make up the next
 * batch. @returns a function that resolves when its item is written
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
