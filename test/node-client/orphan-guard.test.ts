import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../support/processes.ts";

it("kills what is left of a client that was killed, where the system does not", async () => {
  const holder = spawn(process.execPath, [join(import.meta.dirname, "orphan-holder.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void holder.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: holder.stdout }), "line")) as [string];
  const [guarded, released] = line.split(" ").map(Number) as [number, number];
  onTestFinished(() => void (isAlive(released) && process.kill(released, "SIGKILL")));
  expect(isAlive(guarded)).toBe(true);
  holder.kill("SIGKILL");
  await until(() => !isAlive(guarded));
  expect(isAlive(released)).toBe(true);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
