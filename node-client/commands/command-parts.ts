import type { SandboxHost } from "../../shared/client/ports.ts";

/** Data that a kernel may read and store. */
export type CommandData = Pick<SandboxHost, "data" | "put">;

/** Parts of a task that its command uses. */
export interface CommandParts extends CommandData {
  readonly memoryMb: number;
  /** Ends the command and all that it started, at once. */
  readonly signal: AbortSignal;
}
