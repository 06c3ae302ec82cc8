import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

function startCustomer(...args: (string | number)[]): ChildProcess {
  const program = join(import.meta.dirname, "keyed-customer.ts");
  return spawn(process.execPath, [program, ...args.map(String)], {
    env: platform.environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function outputOf(customer: ChildProcess): Promise<string> {
  let text = "";
  customer.stdout?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await once(customer, "close");
  return text;
}

it("a customer killed while it submits goes on with the same key, and gets every result once", async () => {
  const hands = await platform.connect();
  const never = -1;
  const first = startCustomer("killed", 500, 200);
  await once(first.stdout!, "data");
  // The client may still be starting; on a busy machine that takes longer than a second.
  await expect.poll(async () => (await hands.jobs())[0]?.counts.done).toBe(200);
  first.kill("SIGKILL");
  await once(first, "close");
  expect((await hands.jobs())[0]?.state).toBe("open");

  const outputs: unknown = JSON.parse(await outputOf(startCustomer("killed", 500, never)));
  expect(outputs).toEqual(Array.from({ length: 500 }, (_, index) => index * index));
  const jobs = await hands.jobs();
  expect(jobs).toHaveLength(1);
  expect(jobs[0]).toMatchObject({ state: "finished", lastSeq: 500, counts: { total: 500, done: 500 } });

  const again: unknown = JSON.parse(await outputOf(startCustomer("killed", 500, never)));
  expect(again).toEqual(outputs);
  expect(await hands.jobs()).toHaveLength(1);
});
