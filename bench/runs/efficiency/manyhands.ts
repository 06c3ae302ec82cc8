/** `node manyhands.ts --ms 10 [--client node|chromium]`: percent of the ideal wall time on two slots. */
import { connectTo, startClient, startServer, unyielding } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { clientKind, iterations, percentOfIdeal, slots, tasks, timedCompute, warmUp } from "./arithmetic.ts";

const server = await startServer();
await startClient(server, clientKind, slots, unyielding);
const hands = await connectTo(server);
// The JIT compiles the way of a message after some hundreds, as in a platform that has run for minutes.
for (let i = 0; i < 1000; i++) await hands.map(timedCompute, [1], { math: "native", verify: "off" });
await hands.map(
  timedCompute,
  Array.from({ length: slots * warmUp.calls }, () => warmUp.iterations),
  { math: "native", verify: "off" },
);
const inputs = Array.from({ length: tasks }, () => iterations);
const start = performance.now();
const results = await hands.map(timedCompute, inputs, { math: "native", verify: "off" });
const wallMs = performance.now() - start;
if (results.some(({ sum }) => sum !== results[0]!.sum)) throw new Error("the sums differ");
const computedMs = results.reduce((total, { ms }) => total + ms, 0);
// Other load of the machine lengthens the wall time, and hardly the share in which slots wait.
report(percentOfIdeal(wallMs), { "slots busy %": (100 * computedMs) / slots / wallMs });
