/** The kernel's speed in a plain script. */
import { median } from "../../harness/statistics.ts";
import { report } from "../support/report.ts";
import { iterations, timedCompute } from "./arithmetic.ts";

const runs = Array.from({ length: 12 }, () => timedCompute(iterations));
report(median(runs.slice(2).map(({ ms }) => iterations / ms / 1000)));
