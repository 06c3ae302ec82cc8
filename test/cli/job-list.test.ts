import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobInfo } from "../../customer/index.ts";
import { printable, printableName, table } from "../../customer/cli/output.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { launcher } from "../support/processes.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
});
afterAll(() => platform.close());

async function jobs(...args: string[]): Promise<{ listed: JobInfo[]; err: string; code: number | null }> {
  const child = spawn(process.execPath, [launcher, "jobs", "--json", ...args], { env: platform.environment });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { listed: code === 0 ? (JSON.parse(out) as JobInfo[]) : [], err, code };
}

describe("[LIST-1] [STATUS-1] manyhands jobs", () => {
  it("shows the newest and those that run, says that there are more, searches and filters", async () => {
    const hands = await platform.connect();
    const forever = (): void => {
      for (;;);
    };
    const running = hands.map(forever, [1], { name: "the oldest", timeoutMs: 600_000 });
    await expect.poll(() => hands.jobs({ state: "running" })).toHaveLength(1);
    for (let n = 0; n < 6; n++)
      await hands.map(forever, [1], { name: `waiting ${n}`, requires: { kind: "browser" } }).submitted;

    const few = await jobs("--limit", "3");
    expect(few.listed.map(({ name }) => name)).toEqual(["waiting 5", "waiting 4", "waiting 3", "the oldest"]);
    expect(few.err).toContain("there are more: --limit 0 shows all");
    expect(await jobs("--limit", "0")).toMatchObject({ listed: { length: 7 }, err: "" });
    expect((await jobs("--search", "WAITING 4")).listed.map(({ name }) => name)).toEqual(["waiting 4"]);
    expect((await jobs("--state", "running")).listed.map(({ name }) => name)).toEqual(["the oldest"]);
    expect(await jobs("--state", "odd")).toMatchObject({ code: 2 });
    // The SDK goes through the pages by itself.
    expect(await hands.jobs()).toHaveLength(7);
    expect(await hands.jobs({ limit: 2 })).toHaveLength(2);
    await running.cancel();
  });
});

describe("names that others gave, on a terminal", () => {
  it("neither turn nor steer the line, nor break a table", () => {
    expect(printableName("report\u202efdp.exe\u2066\n\u001b[31m\u0007")).toBe(
      "report\\u202efdp.exe\\u2066\\x0a\\x1b[31m\\x07",
    );
    expect(printable("two\nlines\u202e")).toBe("two\nlines\\u202e");
    expect(table([{ name: "a\nb" }], [{ head: "NAME", cell: ({ name }) => name }]).split("\n")).toHaveLength(
      2,
    );
    expect(printableName("שלום עולם, ÅÄÖ")).toBe("שלום עולם, ÅÄÖ");
  });
});
