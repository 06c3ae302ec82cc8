import { describe, expect, test } from "vitest";
import { square, squares, VerificationWorld, wrong } from "../../support/verification-world.ts";

describe("[VERIFY-9] a stranger's checkpoint", () => {
  test("is continued by its own cohort only", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(1);
    const author = world.stranger(square, "a");
    await world.settle();
    const { task } = author.held[0]!;
    world.feed({
      type: "checkpointReceived",
      client: author.id,
      lease: { job, index: task.index, attempt: task.attempt },
      state: new Uint8Array([7]),
    });
    world.leave(author.id);
    const node = world.trusted();
    await world.settle();
    expect(node.held[0]!.task.resume).toBeUndefined();
    world.leave(node.id);
    const other = world.stranger(square, "b");
    await world.settle();
    expect(other.held[0]!.task.resume).toBeUndefined();
    world.leave(other.id);
    const sibling = world.stranger(square, "a");
    await world.settle();
    expect(sibling.held[0]!.task.resume).toEqual(new Uint8Array([7]));
  });

  test("is its author's fault when the result that continued it is wrong", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(1);
    const author = world.stranger(square, "a");
    await world.settle();
    const { task } = author.held[0]!;
    const lease = { job, index: task.index, attempt: task.attempt };
    world.feed({ type: "checkpointReceived", client: author.id, lease, state: new Uint8Array([7]) });
    world.feed({ type: "clientWanted", client: author.id, tasks: 0, slots: 1 });
    world.feed({ type: "leasesReleased", client: author.id, leases: [lease] });
    author.held.length = 0;
    const sibling = world.stranger((input, given) => (given.resume ? wrong : square)(input, given), "a");
    await world.work(sibling);
    world.trusted();
    await world.workAll();
    expect(sibling.refused).toBeUndefined();
    expect(author.refused).toBeDefined();
    expect(await world.outputsInOrder(job)).toEqual(squares(1));
  });
});
