/** The kernel's own speed in a sandbox, one task after the other: million steps a second, by its own clock. */
import { median } from "../../harness/statistics.ts";
import { connectTo, startClient, startServer, unyielding } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { clientKind, iterations, timedCompute } from "./arithmetic.ts";

const server = await startServer();
await startClient(server, clientKind, 1, unyielding);
const hands = await connectTo(server);
const runs = await hands.map(
  timedCompute,
  Array.from({ length: 12 }, () => iterations),
  { math: "native" },
);
// The first ones are compiled while they run.
report(median(runs.slice(2).map(({ ms }) => iterations / ms / 1000)));
