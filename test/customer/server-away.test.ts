import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../customer/index.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

describe("a server that is away", () => {
  it("for a while costs a running customer nothing but the wait", async () => {
    const hands = await platform.connect();
    const goOn = Promise.withResolvers<void>();
    const job = hands.map(
      (x: number) => x + 1,
      (async function* () {
        for (let input = 0; input < 20; input++) {
          if (input === 10) await goOn.promise;
          yield input;
        }
      })(),
    );
    const seen: number[] = [];
    let restarted: Promise<void> | undefined;
    for await (const outcome of job) {
      seen.push(outcome.output ?? -1);
      if (seen.length !== 5) continue;
      restarted = platform.restart(async () => {
        // The next request of the program finds no server.
        goOn.resolve();
        await expect(hands.api.status({ patienceMs: 0 })).rejects.toMatchObject({ code: "UNREACHABLE" });
      });
    }
    await restarted;
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, input) => input + 1));
  });

  it("from the start is told at once, with a remedy", async () => {
    const silent = { connectMs: 0, log: () => undefined };
    await expect(connect("http://localhost:1023", silent)).rejects.toMatchObject({
      code: "UNREACHABLE",
      remedy: expect.stringContaining("address and port") as string,
    });
    await expect(connect("ftp://localhost", silent)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(connect("not an address", silent)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("no longer waits once the customer closes its connection", async () => {
    const hands = await platform.connect();
    const job = hands.map((x) => x, [1], { requires: { webgpu: true } });
    await job.submitted;
    const waiting = expect(job).rejects.toMatchObject({ code: "WRONG_STATE" });
    hands.close();
    await waiting;
  });
});

describe("a token", () => {
  it("is found for a server on this machine, by any name of it", async () => {
    const { port } = platform.server;
    for (const url of [`http://localhost:${port}`, `127.0.0.1:${port}`]) {
      const hands = await connect(url);
      expect((await hands.status()).version).toMatch(/^\d/);
      hands.close();
    }
  });

  it("that is wrong is refused with a remedy", async () => {
    await expect(connect(platform.url, { token: "mh_c_wrong" })).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      remedy: expect.stringContaining("MANYHANDS_TOKEN") as string,
    });
  });
});
