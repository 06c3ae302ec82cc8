/** Starts two processes that never end by themselves, has one of them guarded, prints both ids and stays. */
import { spawn, type ChildProcess } from "node:child_process";
import { guardAgainstOrphaning } from "../../node-client/sandbox/orphan-guard.ts";

const start = (): ChildProcess =>
  spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
const guarded = start();
const released = start();
guardAgainstOrphaning(guarded);
process.stdout.write(`${guarded.pid} ${released.pid}\n`);
setInterval(() => undefined, 1000);
