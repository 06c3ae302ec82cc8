/** The ideal on this machine: the same tasks shared out beforehand to two plain Node processes. */
import { startScript } from "../support/children.ts";
import { report } from "../support/report.ts";
import { iterations, percentOfIdeal, slots, tasks, timedCompute, warmUp } from "./arithmetic.ts";

if (process.argv.includes("--share")) {
  for (let i = 0; i < warmUp.calls; i++) timedCompute(warmUp.iterations);
  console.log("ready");
  process.stdin.once("data", () => {
    for (let i = 0; i < tasks / slots; i++) timedCompute(iterations);
    console.log("done");
  });
} else {
  const shares = Array.from({ length: slots }, () =>
    startScript("efficiency/plain-node.ts", [...process.argv.slice(2), "--share"]),
  );
  for (const share of shares) await share.line();
  const start = performance.now();
  for (const share of shares) share.write("go\n");
  await Promise.all(shares.map((share) => share.line()));
  report(percentOfIdeal(performance.now() - start));
}
