import { describe, expect, onTestFinished, test } from "vitest";
import { Distance } from "../../customer/compression.ts";
import { connect } from "../../customer/connect.ts";
import { Link, links } from "../support/link/link.ts";
import { startClientProcess } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

test("[MILES-8] texts of a customer far away travel compressed in both directions", async () => {
  const server = await startTestServer();
  await startClientProcess(server);
  const link = await Link.start(server.url, { ...links.b, upMbitPerS: 20 });
  onTestFinished(() => link.close());
  const hands = await connect(link.url, { token: server.token });
  onTestFinished(() => hands.close());
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

describe("[MILES-8] a request", () => {
  const url = "http://head:9990";
  const offer = new Response(null, { headers: { "accept-encoding": "gzip" } });
  const text = Buffer.from("particle 7 at 12, ".repeat(1000));

  function distant(ms: number, reply = offer): Distance {
    const distance = new Distance();
    distance.answered(400, url, reply);
    distance.answered(ms, url, new Response());
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

  test("is compressed when the server is far away and takes that, and the bytes shrink", async () => {
    const { body, headers } = await distant(150).compressed(text, url);
    expect(headers).toEqual({ "content-encoding": "gzip" });
    expect(body.length).toBeLessThan(text.length / 10);
    const noise = crypto.getRandomValues(Buffer.alloc(20_000));
    const plain: [Distance, Buffer, string][] = [
      [distant(9), text, url],
      [distant(150, new Response()), text, url],
      [distant(150), text, "http://other:9990"],
      [distant(150), text.subarray(0, 8000), url],
      [distant(150), noise, url],
    ];
    for (const [distance, given, to] of plain)
      expect(await distance.compressed(given, to)).toEqual({ body: given, headers: {} });
  });
});
