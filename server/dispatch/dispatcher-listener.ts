import type { Verdict } from "../../shared/wire/protocol.ts";
import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { HandedOver } from "../scheduler/events.ts";
import type { JobRow, NewOutcome, NewOutput } from "../store/store.ts";

/** Listener for the dispatcher's work. */
export interface DispatcherListener {
  /** Outcomes are on disk; `by` names the client of each. */
  outcomesStored(
    job: JobRow,
    outcomes: readonly NewOutcome[],
    accepted: readonly TaskIndex[],
    by: readonly ClientId[],
  ): void;
  /** Called when a task at which strangers failed waits for an auditor. */
  auditorsCalled?(): void;
  /** Provisional results of a client are on disk. */
  provisionalKept?(job: JobRow, client: ClientId, outputs: readonly NewOutput[]): void;
  /** Provisional results of a client are outcomes; the tasks of `dropped` have other ones. */
  provisionalAccepted?(
    job: JobRow,
    client: ClientId,
    accepted: readonly TaskIndex[],
    dropped: readonly TaskIndex[],
  ): void;
  /** Provisional results of a client are withdrawn. */
  provisionalWithdrawn?(job: JobRow, client: ClientId, indexes: readonly TaskIndex[]): void;
  /** The statement of a job changed. */
  jobChanged?(job: JobRow): void;
  /** Called when bans of clients are to be lifted. */
  clientsPardoned?(clients: readonly ClientId[]): void;
  /** Called when the client is barred from all jobs. */
  clientBarred?(client: ClientId, reason: string): void;
  /** Tasks ended that this server had not claimed. */
  endedUnclaimed?(job: JobId, indexes: readonly TaskIndex[]): void;
  /** The client that the verdict is for is not connected to this server. */
  verdictUnheard?(client: ClientId, verdict: Verdict): void;
  /** Tasks that lack opinions were given back, for another server to claim. */
  handedOver?(job: JobId, tasks: readonly HandedOver[]): void;
  /** Tasks of the job began, or reported progress. Called for each report, so it has to be cheap. */
  jobMoved?(job: JobId): void;
}
