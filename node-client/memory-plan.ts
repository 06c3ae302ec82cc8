import { PlatformError } from "../shared/errors.ts";
import { jobDefaults, limits } from "../shared/limits.ts";
import { processOverheadMb } from "./sandbox/child-command.ts";

interface MemoryPlan {
  readonly slots: number;
  /** Memory of a kernel in one slot, in MiB, as the server is told. */
  readonly memoryMb: number;
}

interface MemoryRequest {
  /** Memory of all sandboxes together, in MiB. */
  readonly maxMemoryMb: number;
  /** Most slots. */
  readonly slots: number;
  /** Memory of one slot; absent: the default of jobs, or more when the slots leave room. */
  readonly memoryMb?: number;
}

/**
 * Divides a bound on memory between slots: as many as fit. A sandbox costs its kernel's memory and its process's own ({@link
 * processOverheadMb}).
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
 * Number of clients that a launcher started on this machine, each of which takes its part of the memory. Open MPI, MPICH and
 * Intel MPI, MVAPICH and Slurm set it in the environment; 1 without a launcher.
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

/** Parses `8G`, `8192M` or `8192` (MiB). @returns MiB, or undefined for other text */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([MGT])?(?:i?B)?$/i.exec(text);
  if (!match) return undefined;
  const factor = { M: 1, G: 1024, T: 1024 ** 2 }[(match[2] ?? "M").toUpperCase()] ?? 1;
  const mb = Math.floor(Number(match[1]) * factor);
  return mb > 0 ? mb : undefined;
}
