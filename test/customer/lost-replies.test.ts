import { describe, expect, it } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import { useProxiedPlatform } from "./proxied-platform.ts";

const parts = useProxiedPlatform();

describe("replies that are lost", () => {
  it.each(["1", "2", "3"])(
    "never duplicate a job, a task or a result, and lose none (seed %s)",
    async (seed) => {
      const random = seededRandom(seed);
      const hands = await parts.platform.connect({ url: parts.proxy.url, log: () => undefined });
      const before = new Set((await hands.jobs()).map(({ id }) => id));
      parts.proxy.cuts = 0;
      parts.proxy.cutAfter = () =>
        random() < 0.4 ? Math.floor(random() * 600) : 4000 + Math.floor(random() * 20_000);
      parts.proxy.cutAll();

      const inputs = Array.from({ length: 6000 }, (_, index) => index);
      const slowly = (async function* () {
        for (const input of inputs) {
          // Many small requests, so that many replies can be lost.
          if (input % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
          yield input;
        }
      })();
      const job = hands.map((x: number) => x * 3, slowly);
      const seen: number[] = [];
      for await (const outcome of job) {
        if (outcome.error) throw outcome.error;
        expect(outcome.output).toBe(outcome.index * 3);
        seen.push(outcome.index);
      }
      await job.submitted;

      parts.proxy.cutAfter = () => undefined;
      expect(parts.proxy.cuts).toBeGreaterThan(2);
      expect(seen.toSorted((a, b) => a - b)).toEqual(inputs);
      const made = (await hands.jobs()).filter(({ id }) => !before.has(id));
      expect(made).toHaveLength(1);
      expect(made[0]).toMatchObject({
        state: "finished",
        lastSeq: 6000,
        counts: { total: 6000, done: 6000 },
      });
    },
  );

  it("of blobs are asked for again, from where they were cut", async () => {
    const hands = await parts.platform.connect({ url: parts.proxy.url, log: () => undefined });
    const bytes = new Uint8Array(2_000_000).map((_, index) => index * 31);
    const reference = await hands.put(bytes);
    parts.proxy.cuts = 0;
    parts.proxy.cutAfter = (connection) => 100_000 + (connection % 7) * 100_000;
    parts.proxy.cutAll();
    expect(await hands.get(reference)).toEqual(bytes);
    expect(await hands.get(reference.slice(1_000, 1_500_000))).toEqual(bytes.slice(1_000, 1_500_000));
    expect(parts.proxy.cuts).toBeGreaterThan(3);
    parts.proxy.cutAfter = () => undefined;
  });
});
