import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { startHttpServer } from "../support/http-server.ts";

test("[VERIFY-2] [WAIT-2] provisional results come once each, whole, through connections that are cut", async () => {
  const server = await startHttpServer({ auditors: 1 });
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  const volunteer = server.client((x) => String(x).repeat(20_000), { trusted: false });
  await using hands = await connect(proxy.url, { token: server.tokens.customer });
  const inputs = Array.from({ length: 60 }, (_, index) => index % 10);
  const job = hands.map((x: number) => String(x).repeat(20_000), inputs);
  await expect.poll(async () => (await job.status()).counts.provisional).toBe(60);
  proxy.cutAll();
  proxy.cutAfter = () => 500_000;
  let count = 0;
  for await (const { index, output, client } of job.provisional()) {
    expect([index, client, output.length, output[0]]).toEqual([
      count,
      volunteer.id,
      20_000,
      String(count % 10),
    ]);
    count++;
  }
  expect(count).toBe(60);
  expect(proxy.cuts).toBeGreaterThan(0);
});
