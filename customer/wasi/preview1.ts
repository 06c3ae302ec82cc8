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
import { FetchFailure, Missing } from "./lazy-content.ts";
import type { Process } from "./process.ts";

/** An argument of a call: 32 bits, or 64. */
type Call = (...values: never[]) => void;

/** Names of all functions of the interface. */
export type CallName = keyof ReturnType<typeof calls>;

/** Functions that reach the content of files, which may have to be fetched first. */
export const contentCalls = [
  "fd_read",
  "fd_pread",
  "fd_write",
  "fd_pwrite",
  "fd_allocate",
  "fd_filestat_set_size",
] as const satisfies readonly CallName[];

/** A function as an import of a module: it returns an error number, at once unless it has to fetch content. */
export type Import = (...values: never[]) => number | Promise<number>;

/** The functions of `wasi_snapshot_preview1`. */
export function preview1(process: Process): Record<CallName, Import> {
  const guarded = Object.entries<Call>(calls(process)).map(([name, call]) => [name, guard(call)]);
  return Object.fromEntries(guarded) as Record<CallName, Import>;
}

function guard(call: Call): Import {
  const guarded: Import = (...values) => {
    try {
      call(...values);
      return errno.success;
    } catch (error) {
      if (error instanceof CallError) return error.number;
      // A view refuses an address outside the memory.
      if (error instanceof RangeError) return errno.fault;
      if (error instanceof Missing) return fetched(error).then(() => guarded(...values));
      throw error;
    }
  };
  return guarded;
}

async function fetched({ fetch }: Missing): Promise<void> {
  try {
    await fetch();
  } catch (error) {
    throw new FetchFailure("bytes of a file could not be fetched", { cause: error });
  }
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
