import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launcher, root } from "../support/processes.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start();
});
afterAll(() => platform.close());

async function run(program: string, ...args: string[]): Promise<{ code: unknown; text: string }> {
  const child = spawn(process.execPath, [program, ...args], { env: platform.environment });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const [code] = await once(child, "close");
  return { code, text };
}

async function newestState(): Promise<string | undefined> {
  return (await (await platform.connect()).jobs())[0]?.state;
}

const customer = join(import.meta.dirname, "exiting-customer.ts");
const kernel = join(root, "test", "customer", "kernels", "mean.ts");

describe("[KEY-2] a submission that fails half-way", () => {
  it.each([
    ["throw", "the detector is off"],
    ["value", "Input 2"],
  ])("leaves no job open when its program ends at once: %s", async (how, said) => {
    expect(await run(customer, how)).toEqual({ code: 5, text: expect.stringContaining(said) as string });
    expect(await newestState()).toBe("cancelled");
  });

  it("leaves a job with a key open, to go on with", async () => {
    expect(await run(customer, "throw", "detector")).toMatchObject({ code: 5 });
    expect(await newestState()).toBe("open");
  });

  const broken = join(root, "test", "support", "data", "broken.ndjson");
  const map = ["map", kernel, "--inputs", broken, "--quiet"];

  it("from a file names the line, and leaves no job open", async () => {
    const { code, text } = await run(launcher, ...map);
    expect(code).toBe(2);
    expect(text).toContain(`line 2 of ${broken} is not JSON`);
    expect(await newestState()).toBe("cancelled");
  });

  it("from a file with a key says that the job stays open, with a remedy", async () => {
    const { code, text } = await run(launcher, ...map, "--key", "broken");
    expect(code).toBe(2);
    expect(text).toMatch(/stays open: .*manyhands cancel j_/);
    expect(await newestState()).toBe("open");
  });
});
