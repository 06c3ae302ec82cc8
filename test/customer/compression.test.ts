import { describe, expect, onTestFinished, test } from "vitest";
import { Distance } from "../../system/distance.ts";
import { connect } from "../../customer/connect.ts";
import type { Hands } from "../../customer/hands.ts";
import { Link, links } from "../support/link/link.ts";
import { startOlderServer } from "../support/older-server.ts";
import { startClientProcess } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

async function farCustomer(): Promise<{ hands: Hands; link: Link }> {
  const server = await startTestServer();
  await startClientProcess(server);
  const link = await Link.start(server.url, { ...links.b, upMbitPerS: 20 });
  onTestFinished(() => link.close());
  const hands = await connect(link.url, { token: server.token });
  onTestFinished(() => hands.close());
  return { hands, link };
}

test("[MILES-8] texts of a customer far away travel compressed in both directions", async () => {
  const { hands, link } = await farCustomer();
  const inputs = Array.from({ length: 12 }, (_, index) =>
    Array.from({ length: 6000 }, (_, at) => `particle ${index} at ${at}`),
  );
  const bytes = 12 * 6000 * 20;
  const before = await link.counts();
  const outputs = await hands.map((lines: string[]) => lines.toReversed(), inputs);
  expect(outputs).toEqual(inputs.map((lines) => lines.toReversed()));
  const after = await link.counts();
  expect(after.up - before.up).toBeLessThan(0.5 * bytes);
  expect(after.down - before.down).toBeLessThan(0.5 * bytes);
});

test("[MILES-8] an older server behind the same address gets bodies as they are", async () => {
  const server = await startTestServer();
  await startClientProcess(server);
  const older = await startOlderServer(server.url);
  const hands = await connect(older.url, { token: server.token });
  onTestFinished(() => hands.close());
  const inputs = [linesOf(1, 6000), linesOf(2, 40_000)];
  expect(await hands.map((lines: string[]) => lines.length, inputs)).toEqual([6000, 40_000]);
  const text = Buffer.from(linesOf(3, 40_000).join("\n"));
  expect(Buffer.from(await hands.get(await hands.put(text)))).toEqual(text);
  expect(older.refused()).toBeGreaterThan(1);
});

const linesOf = (about: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `particle ${about} at ${at}`);

test("[MILES-8] texts of a customer far away that come one by one are posted compressed", async () => {
  const { hands, link } = await farCustomer();
  let known = Promise.withResolvers<void>();
  async function* inputs(): AsyncGenerator<string[]> {
    for (let index = 0; index < 14; index++) {
      yield linesOf(index, 6000);
      await known.promise;
      known = Promise.withResolvers();
    }
  }
  const before = await link.counts();
  const lengths: number[] = [];
  for await (const outcome of hands.map((lines: string[]) => lines.length, inputs())) {
    lengths.push(outcome.output!);
    known.resolve();
  }
  expect(lengths).toEqual(Array(14).fill(6000));
  expect((await link.counts()).up - before.up).toBeLessThan(0.5 * 14 * 6000 * 20);
});

test("[MILES-9] long texts and files of a customer far away travel compressed in both directions", async () => {
  const { hands, link } = await farCustomer();
  const inputs = Array.from({ length: 5 }, (_, index) => linesOf(index, 25_000));
  const bytes = 5 * 25_000 * 20;
  const before = await link.counts();
  const outputs = await hands.map((lines: string[]) => lines.toReversed(), inputs);
  expect(outputs).toEqual(inputs.map((lines) => lines.toReversed()));
  const between = await link.counts();
  expect(between.up - before.up).toBeLessThan(0.5 * bytes);
  expect(between.down - before.down).toBeLessThan(0.5 * bytes);
  const file = new Blob(inputs.map((lines) => lines.join("\n")));
  const reference = await hands.put(file);
  // A download that is cut goes on with a range.
  let isCut = false;
  const parts: Uint8Array[] = [];
  for await (const part of hands.stream(reference)) {
    parts.push(part);
    if (!isCut) link.reset();
    isCut = true;
  }
  expect(Buffer.concat(parts).toString()).toBe(await file.text());
  const after = await link.counts();
  expect(after.up - between.up).toBeLessThan(0.6 * file.size);
});

describe("[MILES-8] a request", () => {
  const url = "http://head:9990";
  const text = Buffer.from("particle 7 at 12, ".repeat(1000));

  function distant(ms: number, accepted: string | null = "gzip"): Distance {
    const distance = new Distance();
    distance.answered(400, url, accepted);
    distance.answered(ms, url, undefined);
    return distance;
  }

  test("asks for a compressed reply when no answer came quickly", async () => {
    expect(await distant(150).compressed(undefined, url)).toEqual({ headers: { "accept-encoding": "gzip" } });
    expect(await distant(9).compressed(undefined, url)).toEqual({ headers: {} });
    expect(await distant(30).compressed(undefined, "http://localhost:9990")).toEqual({ headers: {} });
    expect(await distant(60).compressed(undefined, "http://[::1]:9990")).toEqual({
      headers: { "accept-encoding": "gzip" },
    });
  });

  test("with a body tells of the way beside the time that its bytes may take", async () => {
    const fast = new Distance();
    fast.answered(64, url, "gzip", 800_000);
    expect(await fast.compressed(text, url)).toEqual({ body: text, headers: {} });
    const slow = new Distance();
    slow.answered(640, url, "gzip", 800_000);
    expect((await slow.compressed(text, url)).headers).toEqual({ "content-encoding": "gzip" });
    expect(await new Distance().compressed(undefined, url)).toEqual({ headers: {} });
    slow.answered(640, url, undefined, 800_000);
    expect((await slow.compressed(text, url)).headers).toEqual({});
  });

  test("is compressed when the server is far away and takes that, and the bytes shrink", async () => {
    const { body, headers } = await distant(150).compressed(text, url);
    expect(headers).toEqual({ "content-encoding": "gzip" });
    expect(body.length).toBeLessThan(text.length / 10);
    const noise = crypto.getRandomValues(Buffer.alloc(20_000));
    const plain: [Distance, Buffer, string][] = [
      [distant(9), text, url],
      [distant(150, null), text, url],
      [distant(150), text, "http://other:9990"],
      [distant(150), text.subarray(0, 8000), url],
      [distant(150), noise, url],
    ];
    for (const [distance, given, to] of plain)
      expect(await distance.compressed(given, to)).toEqual({ body: given, headers: {} });
  });
});
