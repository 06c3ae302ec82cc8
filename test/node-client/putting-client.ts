/**
 * Runs a kernel that puts 8 MiB, and prints a line when the bytes have been collected. The process has nothing else to do, so V8 itself would
 * not collect them for long.
 */
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { bufferDropped } from "../../system/garbage.ts";

const collected = new FinalizationRegistry<string>((line) => console.log(line));
const sandbox = await createProcessSandboxes().create(
  {
    data: () => Promise.reject(new Error("no data here")),
    put: async (bytes) => {
      collected.register(bytes.buffer, "collected");
      // Young collections, as those of a long upload, make the bytes old: from then on only a collection of the whole heap frees them.
      for (let count = 0; count < 3; count++) bufferDropped(2 ** 30);
      return { sha256: sha256Hex(bytes), size: bytes.length };
    },
    report: () => undefined,
  },
  { slot: 0, memoryMb: 256 },
);
const source = new TextEncoder().encode(
  "export default async (size, ctx) => { await ctx.put(new Uint8Array(size)); }",
);
const kernelSha256 = sha256Hex(source);
await sandbox.load(kernelSha256, source);
const tasks = packTasks([{ index: 0, attempt: 1, input: encodeValue(8 * 1024 ** 2) }]);
await sandbox.run({ kernelSha256, seed: "0", tasks });
