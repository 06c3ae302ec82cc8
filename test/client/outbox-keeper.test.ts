import { describe, expect, test } from "vitest";
import { OutboxKeeper } from "../../shared/client/outbox-keeper.ts";
import type { Outbox, OutboxEntry } from "../../shared/client/ports.ts";
import type { JobId } from "../../shared/ids.ts";

const job = "j_abcdefghij234567" as JobId;
const key = { job, index: 0, attempt: 1 };
const entry: OutboxEntry = {
  job,
  result: { index: 0, attempt: 1, elapsedMs: 1, outcome: { state: "done", output: new Uint8Array([1]) } },
};

/** An outbox on a slow disk: each call waits until the test completes it. */
class SlowOutbox implements Outbox {
  readonly kept = new Map<number, OutboxEntry>();
  readonly waiting: { what: string; happen: () => void; fail: () => void }[] = [];

  load(): Promise<OutboxEntry[]> {
    return Promise.resolve([...this.kept.values()]);
  }

  save(entries: readonly OutboxEntry[]): Promise<void> {
    return this.#later("save", () => entries.forEach((one) => this.kept.set(one.result.index, one)));
  }

  remove(keys: readonly { index: number }[]): Promise<void> {
    return this.#later("remove", () => keys.forEach(({ index }) => this.kept.delete(index)));
  }

  #later(what: string, change: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const happen = (): void => {
        change();
        resolve();
      };
      this.waiting.push({ what, happen, fail: () => reject(new Error("disk full")) });
    });
  }
}

/** Lets all pending promise callbacks run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("[OUTBOX-1] requests to an outbox", () => {
  test("happens in its order: a result that was saved and then delivered does not stay", async () => {
    const outbox = new SlowOutbox();
    const keeper = new OutboxKeeper({ outbox, log: () => {} });
    keeper.save([entry]);
    keeper.remove([key]);
    await turn();
    expect(outbox.waiting.map(({ what }) => what)).toEqual(["save"]);
    outbox.waiting.shift()?.happen();
    await turn();
    expect(outbox.waiting.map(({ what }) => what)).toEqual(["remove"]);
    outbox.waiting.shift()?.happen();
    await keeper.settled();
    expect(await keeper.load()).toEqual([]);
  });

  test("begins at once when nothing is before it: a page that is being closed has no later", () => {
    const outbox = new SlowOutbox();
    new OutboxKeeper({ outbox, log: () => {} }).save([entry]);
    expect(outbox.waiting).toHaveLength(1);
  });

  test("and fails is told in the log, and keeps nothing behind it from happening", async () => {
    const outbox = new SlowOutbox();
    const said: string[] = [];
    const keeper = new OutboxKeeper({ outbox, log: (_level, message) => void said.push(message) });
    keeper.save([entry]);
    keeper.save([entry]);
    outbox.waiting.shift()?.fail();
    await turn();
    outbox.waiting.shift()?.happen();
    await keeper.settled();
    expect(said).toHaveLength(1);
    expect(await keeper.load()).toEqual([entry]);
  });
});
