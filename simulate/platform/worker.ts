import { parentPort } from "node:worker_threads";
import { runSeed, type WorldName } from "./run-seed.ts";
import { virtualiseThread } from "./virtual-globals.ts";

const port = parentPort;
if (!port) throw new Error("this module runs in a worker thread");
virtualiseThread();

/** Runs one seed after the other, each when it is asked for. */
port.on("message", (world: WorldName) => {
  void runSeed(world).then(async (report) => {
    if (report.failure === undefined) return port.postMessage(report);
    // The same world again, for the stack of an error.
    const { failure } = await runSeed(world, { stacks: 20 });
    port.postMessage({ ...report, failure: failure ?? report.failure });
  });
});
