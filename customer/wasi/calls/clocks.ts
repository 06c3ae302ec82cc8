import { CallError, clockId } from "../abi.ts";
import { Clock } from "../clock.ts";
import type { Process } from "../process.ts";

/** The time of a clock. The processor time is the time since the start. */
function timeOf(clock: Clock, id: number): bigint {
  if (id === clockId.realtime) return clock.now();
  if (id === clockId.monotonic || id === clockId.processCpu || id === clockId.threadCpu)
    return clock.elapsed();
  throw new CallError("inval");
}

export function clockCalls({ memory, clock }: Process) {
  return {
    clock_res_get(id: number, result: number): void {
      timeOf(clock, id);
      memory().view.setBigUint64(result >>> 0, Clock.resolutionNs, true);
    },
    clock_time_get(id: number, _precision: bigint, result: number): void {
      memory().view.setBigUint64(result >>> 0, timeOf(clock, id), true);
    },
  };
}
