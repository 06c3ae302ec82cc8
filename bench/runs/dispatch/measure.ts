import { parseArgs } from "node:util";
import { inputs } from "../support/inputs.ts";
import { report } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "20000" },
    warm: { type: "string", default: "20000" },
    warmRounds: { type: "string", default: "1" },
  },
  strict: false,
});

/** Submits the inputs and resolves with the outputs of all, in any order. The task is the identity. */
type Dispatch = (inputs: string[]) => Promise<string[]>;

/**
 * Tasks a second from the first submit to the last output in the customer. Before that the same is done with as many other
 * tasks, once or several times, so that connections are open, kernels loaded, and code compiled by the JIT, in servers of peers too.
 */
export async function measureDispatch(dispatch: Dispatch): Promise<never> {
  for (let round = 0; round < Number(values.warmRounds); round++) {
    const warm = [...inputs(Number(values.warm), `w${round} `)];
    check(warm, await dispatch(warm));
  }
  const counted = [...inputs(Number(values.tasks), "t")];
  const start = performance.now();
  const outputs = await dispatch(counted);
  const seconds = (performance.now() - start) / 1000;
  check(counted, outputs);
  return report(counted.length / seconds);
}

function check(inputs: readonly string[], outputs: readonly string[]): void {
  const missing = new Set(inputs).difference(new Set(outputs));
  if (outputs.length !== inputs.length || missing.size > 0)
    throw new Error(
      `${inputs.length} inputs gave ${outputs.length} outputs, ${missing.size} of them missing`,
    );
}
