/** Steps of the arithmetic in a millisecond of one undisturbed core. */
import { median } from "../../harness/statistics.ts";
import { report } from "../support/report.ts";
import { timedCompute } from "./arithmetic.ts";

const steps = 20_000_000;
timedCompute(steps);
report(median(Array.from({ length: 9 }, () => steps / timedCompute(steps).ms)));
