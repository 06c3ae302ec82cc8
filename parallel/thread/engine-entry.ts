import { availableParallelism } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { PlatformError } from "../../shared/errors.ts";
import { jobDefaults } from "../../shared/limits.ts";
import type { EngineOptions, FromEngine, ToEngine } from "./messages.ts";

const options = workerData as EngineOptions;
const tell = (message: FromEngine): void => parentPort?.postMessage(message);

try {
  const { threads, cacheDirectory } = options;
  const { createProcessSandboxes } = await import("../../node-client/sandbox/process-sandboxes.ts");
  const { warmUp } = await import("./warm-sandboxes.ts");
  // Kernels are the program's own work, so they run at normal priority.
  const factory = createProcessSandboxes({ niceness: 0, cacheDirectory });
  const sandboxes = warmUp(factory, Math.min(threads, availableParallelism()), jobDefaults.memoryMb);
  // The sandboxes start in this turn, because loading the engine blocks the thread.
  await new Promise((resolve) => setImmediate(resolve));
  const { openEngine } = await import("./engine.ts");
  const engine = await openEngine(options, sandboxes, (message) => tell({ type: "warned", message }));
  parentPort?.on("message", (message: ToEngine) => {
    if (message.type === "connection") engine.accept(message.port);
    // The open port would keep the thread alive.
    else void engine.close().finally(() => parentPort?.close());
  });
  tell({ type: "ready", token: engine.token });
} catch (error) {
  tell({ type: "refused", error: PlatformError.from(error).toBody() });
}
