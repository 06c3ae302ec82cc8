/** The kernel's speed in a script of an empty page. */
import { median } from "../../harness/statistics.ts";
import { openPlainPage } from "../support/plain-page.ts";
import { report } from "../support/report.ts";
import { iterations, timedCompute } from "./arithmetic.ts";

const page = await openPlainPage();
const runs = (await page.evaluate(
  `(() => { const compute = ${timedCompute.toString()}; return Array.from({ length: 12 }, () => compute(${iterations})); })()`,
)) as { ms: number }[];
report(median(runs.slice(2).map(({ ms }) => iterations / ms / 1000)));
