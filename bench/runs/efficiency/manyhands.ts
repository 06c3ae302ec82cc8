/** `node manyhands.ts --ms 10 [--client node|chromium]`: percent of the ideal wall time on two slots. */
import { connectTo, startClient, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { clientKind, iterations, percentOfIdeal, slots, tasks, timedCompute, warmUp } from "./arithmetic.ts";

const server = await startServer();
// A volunteer's kernels yield to the machine's user; here nothing may come before them, as nothing does in the peer's.
await startClient(server, clientKind, slots, ["--nice", "0"]);
const hands = await connectTo(server);
// A platform that has run for minutes, not for seconds: the JIT has seen a thousand messages.
for (let i = 0; i < 1000; i++) await hands.map(timedCompute, [1]);
await hands.map(
  timedCompute,
  Array.from({ length: slots * warmUp.calls }, () => warmUp.iterations),
);
const inputs = Array.from({ length: tasks }, () => iterations);
const start = performance.now();
const results = await hands.map(timedCompute, inputs);
const wallMs = performance.now() - start;
if (results.some(({ sum }) => sum !== results[0]!.sum)) throw new Error("the sums differ");
const computedMs = results.reduce((total, { ms }) => total + ms, 0);
// What the slots lost by waiting, whatever else the machine does: beside the wall time, which suffers from that too.
report(percentOfIdeal(wallMs), { "slots busy %": (100 * computedMs) / slots / wallMs });
