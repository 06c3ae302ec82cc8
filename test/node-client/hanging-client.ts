/** A client whose kernel hangs: prints the sandbox's process id, then stays until it is killed. */
import { readFileSync } from "node:fs";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { sha256Hex } from "../../shared/hash.ts";

const source = new TextEncoder().encode('export default (_, ctx) => { ctx.log("running"); for (;;); };');
const kernelSha256 = sha256Hex(source);
const { promise: running, resolve } = Promise.withResolvers<void>();
const sandbox = await createProcessSandboxes().create(
  {
    data: () => Promise.reject(new Error("no data")),
    put: () => Promise.reject(new Error("no data")),
    report: (report) => report.log && resolve(),
  },
  { slot: 0, memoryMb: 64 },
);
await sandbox.load(kernelSha256, source);
const task = { index: 0, attempt: 1, input: encodeValue(null) };
sandbox.run({ kernelSha256, seed: "0", tasks: packTasks([task]) }).catch(() => undefined);
await running;
process.stdout.write(
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "latin1").trim().split(" ").at(-1) + "\n",
);
