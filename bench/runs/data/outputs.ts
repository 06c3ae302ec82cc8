/**
 * MiB/s of large outputs from kernels to the customer: `node bench/runs/data/outputs.ts [--count 64] [--mib 8]`.
 * `--by nginx`: this program makes the same bytes, hashes and PUTs them to nginx, syncs file and folder, then GETs and hashes them.
 */
import { parseArgs } from "node:util";
import { eachAtOnce, mibPerSecond, nameOf } from "../support/blobs.ts";
import { cpuProfile } from "../support/children.ts";
import { costOf } from "../support/cost.ts";
import { putsToNginx } from "../support/nginx-put.ts";
import { connectTo, startNodeClient, startServer } from "../support/platform.ts";
import { cpuSecondsOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    by: { type: "string", default: "manyhands" },
    count: { type: "string", default: "64" },
    mib: { type: "string", default: "8" },
    slots: { type: "string", default: "2" },
    "client-prof": { type: "string" },
  },
});
const size = Number(values.mib) * 1024 ** 2;
const inputs = Array.from({ length: Number(values.count) }, (_, seed) => ({ seed, size }));

if (values.by === "nginx") {
  const put = await putsToNginx(true);
  const started = performance.now();
  await eachAtOnce(inputs, Number(values.slots), async (input) => {
    const bytes = make(input);
    const response = await fetch(await put(bytes));
    const back = new Uint8Array(await response.arrayBuffer());
    if (nameOf(back).sha256 !== nameOf(bytes).sha256) throw new Error("not the bytes that were put");
  });
  report(mibPerSecond(inputs.length * size, performance.now() - started));
}
const server = await startServer();
const hands = await connectTo(server);
const client = startNodeClient(server, {
  flags: ["--slots", values.slots, "--memory-mb", "4096"],
  nodeFlags: cpuProfile(values["client-prof"]),
});
// Starts the sandboxes.
await hands.map((x: number) => x, [1, 2, 3, 4]);
const cpuBefore = await cpuSecondsOf(client.pid);
const { ms, ...cost } = await costOf(server.pid, async () => {
  for await (const { index, output } of hands.map(make, inputs))
    if (output?.length !== size || output[0] !== index % 256) throw new Error("not what the kernel made");
});
const clientCpu = (await cpuSecondsOf(client.pid)) - cpuBefore;
if (values["client-prof"]) await client.stop();
report(mibPerSecond(inputs.length * size, ms), { clientCpuSeconds: rounded(clientCpu, 2), ...cost });

/** The kernel: bytes of which no two outputs are alike. */
function make({ seed, size: length }: { seed: number; size: number }): Uint8Array {
  const words = new Uint32Array(length / 4);
  for (let at = 0, word = seed; at < words.length; at++) {
    words[at] = word;
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
  }
  return new Uint8Array(words.buffer);
}
