import { describe, expect, test } from "vitest";
import { encodeValue } from "../../../shared/wire/codec.ts";
import {
  square,
  squares,
  VerificationWorld,
  wrong,
  type Computer,
} from "../../support/verification-world.ts";

describe("[VERIFY-8] check", () => {
  const inspector =
    (suspicious: (input: number) => boolean): Computer =>
    (input, task) =>
      task.call?.name === "inspect"
        ? {
            correct: task.call.value.length > 0 && isSquare(input as number, task.call.value),
            suspicious: suspicious(input as number),
          }
        : (input as number) ** 2;

  test("looks at every result of a stranger, and finds a single lie", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(200, { check: true });
    const cheat = world.stranger((input, task) => (input === 150 ? wrong(input, task) : square(input, task)));
    await world.work(cheat);
    world.trusted(inspector(() => false));
    await world.workAll();
    expect(cheat.refused).toMatch(/check of its kernel/);
    expect(await world.outputsInOrder(job)).toEqual(squares(200));
  });

  test("waits half an hour for a trusted node client, and no longer", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(30, { check: true });
    // The node holds a task, and inspects nothing before it leaves.
    const node = world.trusted(inspector(() => false));
    world.feed({ type: "clientWanted", client: node.id, tasks: 1, slots: 1 });
    await world.settle();
    const browser = world.join(square, { trusted: true, kind: "browser" });
    world.feed({ type: "clientWanted", client: browser.id, tasks: 0, slots: 1 });
    await world.work(world.stranger(square));
    world.leave(node.id);
    world.feed({ type: "clientWanted", client: browser.id, tasks: 16, slots: 4 });
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "closed" });
    await world.pass(31 * 60_000);
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished", done: 30 });
  });

  test("counts the inspected results; a suspicious result is audited", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(100, { check: true });
    await world.work(world.stranger(square));
    world.trusted(inspector((input) => input < 50));
    await world.workAll();
    const { statement, done } = await world.row(job);
    expect(done).toBe(100);
    expect(statement).toMatchObject({ checked: 100, wrong: 0, strangers: 100 });
    expect(statement.audited).toBeGreaterThanOrEqual(50);
    expect(statement.audited).toBeLessThanOrEqual(62);
  });
});

function isSquare(input: number, output: Uint8Array): boolean {
  return Buffer.compare(encodeValue(input ** 2), output) === 0;
}
