/** The ideal in a browser: the same tasks shared out beforehand to two workers of an empty page. */
import { openPlainPage } from "../support/plain-page.ts";
import { report } from "../support/report.ts";
import { iterations, percentOfIdeal, slots, tasks, timedCompute, warmUp } from "./arithmetic.ts";

const page = await openPlainPage();
const worker = `
  const compute = ${timedCompute.toString()};
  for (let i = 0; i < ${warmUp.calls}; i++) compute(${warmUp.iterations});
  onmessage = () => {
    for (let i = 0; i < ${tasks / slots}; i++) compute(${iterations});
    postMessage("done");
  };
  postMessage("ready");`;
const wallMs = (await page.evaluate(`(async () => {
  const url = URL.createObjectURL(new Blob([${JSON.stringify(worker)}], { type: "text/javascript" }));
  const workers = Array.from({ length: ${slots} }, () => new Worker(url));
  const answers = () => Promise.all(workers.map((each) => new Promise((resolve) => (each.onmessage = resolve))));
  await answers();
  const start = performance.now();
  const done = answers();
  for (const each of workers) each.postMessage("go");
  await done;
  return performance.now() - start;
})()`)) as number;
report(percentOfIdeal(wallMs));
