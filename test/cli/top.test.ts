import { expect, test } from "vitest";
import type { Hands } from "../../customer/hands.ts";
import { connect } from "../../customer/connect.ts";
import { draw } from "../../customer/cli/top-command.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

async function pictureOf(hands: Hands): Promise<Parameters<typeof draw>[0]> {
  const [status, jobs, clients, why] = await Promise.all([
    hands.status(),
    hands.jobs({ state: "active" }),
    hands.clients(),
    hands.api.why(),
  ]);
  return { status, jobs, clients, why };
}

test("[TOP-1] a picture has jobs, clients and why nothing runs, within the terminal's columns and rows", async () => {
  const server = await startTestServer();
  await using hands = await connect(server.url, { token: server.token });
  for (let n = 0; n < 60; n++)
    await server.api("POST", "/api/jobs", {
      name: `job ${n} \u001b[31m${"W".repeat(120)}`,
      kernel: { source: "export default (x) => x" },
      inputs: [1, 2],
    });
  const idle = draw(await pictureOf(hands), 80, 24);
  expect(idle).toContain("! No client is connected; 60 jobs wait.");
  expect(idle).toContain("No clients.");
  expect(idle).not.toContain("\u001b");
  const client = await new RawClient(server.url).join({ name: "machine\u202e" });
  await client.lease(1);
  const busy = draw(await pictureOf(hands), 100, 24);
  expect(busy).toMatch(/1 of \d+ slots busy \[#+\.*\][\s\S]*running[\s\S]*machine\\u202e/);
  expect(busy).not.toContain("! ");
  for (const text of [idle, busy]) {
    expect(text.split("\n").length).toBeLessThanOrEqual(24);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  }
});
