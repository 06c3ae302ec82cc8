import { CallError, errno } from "./abi.ts";
import { clockCalls } from "./calls/clocks.ts";
import { descriptorCalls } from "./calls/descriptors.ts";
import { directoryCalls } from "./calls/directories.ts";
import { pathCalls } from "./calls/paths.ts";
import { pollCalls } from "./calls/poll.ts";
import { processCalls } from "./calls/processes.ts";
import { socketCalls } from "./calls/sockets.ts";
import { textCalls } from "./calls/texts.ts";
import { transferCalls } from "./calls/transfers.ts";
import type { Process } from "./process.ts";

/** An argument of a call: 32 bits, or 64. */
type Call = (...values: never[]) => void;

/** Names of all functions of the interface. */
export type CallName = keyof ReturnType<typeof calls>;

/** The functions of `wasi_snapshot_preview1` as imports of a module: each returns an error number. */
export function preview1(process: Process): Record<CallName, (...values: never[]) => number> {
  const guarded = Object.entries<Call>(calls(process)).map(([name, call]) => [name, guard(call)]);
  return Object.fromEntries(guarded) as Record<CallName, (...values: never[]) => number>;
}

function guard(call: Call): (...values: never[]) => number {
  return (...values) => {
    try {
      call(...values);
      return errno.success;
    } catch (error) {
      if (error instanceof CallError) return error.number;
      // A view refuses an address outside the memory.
      if (error instanceof RangeError) return errno.fault;
      throw error;
    }
  };
}

function calls(process: Process) {
  return {
    ...textCalls("args", () => process.arguments, process),
    ...textCalls("environ", () => process.environment, process),
    ...clockCalls(process),
    ...descriptorCalls(process),
    ...transferCalls(process),
    ...directoryCalls(process),
    ...pathCalls(process),
    ...pollCalls(process),
    ...processCalls(process),
    ...socketCalls(process),
  };
}
