import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launcher } from "../support/processes.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "manyhands-launcher-"));
  await writeFile(join(folder, "exits.ts"), "const code: number = 5; process.exitCode = code;\n");
  await writeFile(
    join(folder, "waits.ts"),
    'process.on("SIGTERM", () => { console.log("told"); process.exit(9); }); setInterval(() => {}, 1000); console.log("ready");\n',
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** A Node of this machine that is too old to run the product itself. */
function oldNode(): string | undefined {
  const folders = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((path) => !path.includes("node_modules"));
  return folders
    .map((path) => join(path, "node"))
    .find((path) => {
      try {
        return Number(/^v(\d+)/.exec(execFileSync(path, ["--version"], { encoding: "utf8" }))?.[1]) < 26;
      } catch {
        return false;
      }
    });
}

const nodes = [process.execPath, oldNode()].filter((node) => node !== undefined);

describe.each(nodes)("started by %s", (node) => {
  it("runs on the pinned Node and keeps the exit status", async () => {
    const child = spawn(node, [launcher, "run", join(folder, "exits.ts")], { stdio: "inherit" });
    expect((await once(child, "exit"))[0]).toBe(5);
  });

  it("passes signals on", async () => {
    const child = spawn(node, [launcher, "run", join(folder, "waits.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (out === "") child.kill("SIGTERM");
      out += text;
    });
    const [code] = (await once(child, "close")) as [number];
    expect({ code, out }).toEqual({ code: 9, out: "ready\ntold\n" });
  });

  it("prints the version and every command", () => {
    expect(execFileSync(node, [launcher, "--version"], { encoding: "utf8" })).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = execFileSync(node, [launcher, "--help"], { encoding: "utf8" });
    for (const command of ["server", "client", "demo", "run", "map", "results", "token"])
      expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
  });
});
