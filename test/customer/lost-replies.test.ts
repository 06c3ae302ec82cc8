import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { HttpClient } from "../../customer/http.ts";
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
          // Many small requests give many replies to lose.
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

  it.each([
    ["that a kernel was stored", /^POST \/api\/kernels/],
    ["that a job was made", /^POST \/api\/jobs$/],
    ["that inputs were stored", /^POST \/api\/jobs\/\w+\/tasks/],
    ["of results", /^GET \/api\/jobs\/\w+\/results/],
  ])("%s are asked for again, and nothing is there twice", async (_what, request) => {
    const hands = await parts.platform.connect({ url: parts.proxy.url, log: () => undefined });
    const before = new Set((await hands.jobs()).map(({ id }) => id));
    parts.proxy.cuts = 0;
    parts.proxy.loseReplyTo = request;
    expect(await hands.map((x: number) => x + 1, [1, 2, 3])).toEqual([2, 3, 4]);
    expect(parts.proxy.cuts).toBe(1);
    const made = (await hands.jobs()).filter(({ id }) => !before.has(id));
    expect(made).toMatchObject([{ state: "finished", lastSeq: 3, counts: { total: 3, done: 3 } }]);
  });

  it("in the middle of their body are asked for again", async () => {
    let requests = 0;
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 20 });
      if (requests++ === 0) response.write('{"half":', () => response.destroy());
      else response.end('{"whole":         1}');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    const http = new HttpClient({
      url,
      findToken: async () => undefined,
      patienceMs: Infinity,
      log: () => undefined,
    });
    onTestFinished(() => http.close());
    const reply = await http.request({ method: "GET", path: "api/status" }, (response) => response.json());
    expect(reply).toEqual({ whole: 1 });
    expect(requests).toBe(2);
  });

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
