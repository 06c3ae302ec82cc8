import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

it.each([
  ["open", ["bind", "connect", "listen", "open"], ["bind", "connect", "open", "send"]],
  ["closed", [], []],
])("[PKG-3] handles of a process whose network is %s", async (state, stream, datagrams) => {
  const child = fork(join(import.meta.dirname, "closed-network.ts"), [state]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const [found] = (await once(child, "message")) as unknown[];
  expect(found).toEqual({ stream, datagrams });
});
