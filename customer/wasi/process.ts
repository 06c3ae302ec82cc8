import type { Clock } from "./clock.ts";
import type { Descriptors } from "./descriptors.ts";
import type { FileSystem } from "./file-system.ts";
import type { GuestMemory } from "./guest-memory.ts";

/** Arguments, environment, files and clock of a running program. */
export interface Process {
  readonly arguments: readonly Uint8Array[];
  readonly environment: readonly Uint8Array[];
  readonly memory: () => GuestMemory;
  readonly files: FileSystem;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  /** Fills an array with random bytes. */
  readonly randomize: (bytes: Uint8Array) => void;
}

/** Ends a program, wherever it stands. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}
