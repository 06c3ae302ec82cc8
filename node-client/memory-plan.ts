import { PlatformError } from "../shared/errors.ts";
import { jobDefaults, limits } from "../shared/limits.ts";
import { processOverheadMb } from "./sandbox/child-command.ts";

interface MemoryPlan {
  readonly slots: number;
  /** Memory a kernel in one slot has, in MiB: what the server is told. */
  readonly memoryMb: number;
}

interface MemoryRequest {
  /** All sandboxes together, in MiB. */
  readonly maxMemoryMb: number;
  /** At most so many slots. */
  readonly slots: number;
  /** Memory of one slot; absent: what jobs get that do not say, or more when the slots leave some. */
  readonly memoryMb?: number;
}

/**
 * Shares a bound on memory between slots: as many as fit, and each with its part. A sandbox costs its kernel's memory and
 * that of its process ({@link processOverheadMb}).
 * @throws PlatformError BAD_OPTION when not even one slot fits
 */
export function planMemory({ maxMemoryMb, slots: most, memoryMb }: MemoryRequest): MemoryPlan {
  const least = (memoryMb ?? limits.minMemoryMb) + processOverheadMb;
  if (maxMemoryMb < least)
    throw new PlatformError(
      "BAD_OPTION",
      `${maxMemoryMb} MiB is too little for one slot; expected --max-memory of at least ${least} MiB.`,
    );
  const each = (memoryMb ?? jobDefaults.memoryMb) + processOverheadMb;
  const slots = Math.max(1, Math.min(most, Math.floor(maxMemoryMb / each)));
  const share = Math.floor(maxMemoryMb / slots) - processOverheadMb;
  return { slots, memoryMb: memoryMb ?? Math.min(share, limits.maxMemoryMb) };
}

/**
 * How many clients a launcher started on this machine, so that each takes its part of the memory: what Open MPI, MPICH and
 * Intel MPI, MVAPICH and Slurm say in the environment; 1 when none does.
 */
export function clientsOnThisMachine(env: Readonly<Record<string, string | undefined>>): number {
  const said =
    env["OMPI_COMM_WORLD_LOCAL_SIZE"] ??
    env["MPI_LOCALNRANKS"] ??
    env["MV2_COMM_WORLD_LOCAL_SIZE"] ??
    (env["SLURM_STEP_ID"] === undefined ? undefined : env["SLURM_STEP_TASKS_PER_NODE"]);
  const count = Number.parseInt(said ?? "1", 10);
  return count >= 1 ? count : 1;
}

/** Parses `8G`, `8192M` or `8192` (MiB). @returns MiB, or undefined when it is none of these */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([MGT])?(?:i?B)?$/i.exec(text);
  if (!match) return undefined;
  const factor = { M: 1, G: 1024, T: 1024 ** 2 }[(match[2] ?? "M").toUpperCase()] ?? 1;
  const mb = Math.floor(Number(match[1]) * factor);
  return mb > 0 ? mb : undefined;
}
