import { describe, expect, test } from "vitest";
import { liar, square, VerificationWorld } from "../../support/verification-world.ts";

describe("[VERIFY-13] what a client is told of its results", () => {
  const counts = ({ told }: { told: Map<number, string> }): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const state of told.values()) sums[state] = (sums[state] ?? 0) + 1;
    return sums;
  };

  test("that they are provisional, and after the audits which were accepted and which checked", async () => {
    const world = await VerificationWorld.open({ auditors: true });
    const job = await world.job(30);
    const honest = world.stranger(square);
    await world.work(honest);
    expect(counts(honest)).toEqual({ delivered: 30 });
    world.trusted();
    await world.workAll();
    const { audited } = (await world.row(job)).statement;
    expect(audited).toBeGreaterThan(0);
    expect(counts(honest)).toEqual({ checked: audited, accepted: 30 - audited });
  });

  test("that they were withdrawn", async () => {
    const world = await VerificationWorld.open();
    const job = await world.job(10, { verify: { quorum: 2 } });
    const cheat = world.stranger(liar(2), "a");
    await world.workAll();
    const honest = [world.stranger(square, "b"), world.stranger(square, "c")];
    await world.workAll();
    expect(await world.row(job)).toMatchObject({ state: "finished" });
    expect(counts(cheat)).toEqual({ checked: 5, withdrawn: 5 });
    expect(honest.flatMap(({ told }) => [...told.values()])).toEqual(Array(15).fill("checked"));
  });
});
