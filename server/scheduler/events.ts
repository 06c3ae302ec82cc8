import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import type { JobDescriptor, LeasedTask, LeaseKey, TaskResult } from "../../shared/wire/protocol.ts";
import type { Requirements, TaskFailure } from "../../shared/wire/rest.ts";
import type { ClaimedTask, NewOutcome } from "../store/store.ts";

/** What the scheduler needs to know of a job. */
export interface SchedulerJob {
  readonly descriptor: JobDescriptor;
  /** Fair share is between customers. */
  readonly customer: string;
  readonly priority: number;
  readonly paused: boolean;
  readonly maxAttempts: number;
  readonly requires: Requirements;
  /** Whether the job ends when its first tasks all fail alike. */
  readonly failFast: boolean;
  readonly createdAt: number;
  /** Whether any task of it has ever been done: a kernel that works somewhere is not ended as a whole. */
  readonly everDone: boolean;
}

/** What a client said of itself when it connected. */
export interface SchedulerClientInfo {
  readonly id: ClientId;
  readonly kind: "browser" | "node";
  readonly memoryMb: number;
  readonly webgpu: boolean;
  readonly trusted: boolean;
  readonly slots: number;
}

/** Something happened: the only way into the scheduler. */
export type SchedulerEvent =
  | { readonly type: "jobAdded"; readonly job: SchedulerJob }
  | {
      readonly type: "jobChanged";
      readonly job: JobId;
      readonly paused?: boolean;
      readonly priority?: number;
    }
  /** The job ended (cancelled, quarantined, finished) or was deleted. */
  | { readonly type: "jobEnded"; readonly job: JobId }
  /**
   * The store has tasks of the job that nobody claimed; `again`: also below those claimed before; `requeued`: failed tasks among
   * them, whose earlier leases clients may remember.
   */
  | {
      readonly type: "tasksAdded";
      readonly job: JobId;
      readonly again?: boolean;
      readonly requeued?: boolean;
    }
  | {
      readonly type: "tasksClaimed";
      readonly job: JobId;
      readonly tasks: readonly ClaimedTask[];
      readonly limit: number;
    }
  | { readonly type: "claimFailed"; readonly job: JobId }
  | {
      readonly type: "clientConnected";
      readonly client: SchedulerClientInfo;
      readonly held: readonly LeaseKey[];
      readonly cached: readonly Sha256[];
    }
  | {
      readonly type: "clientWanted";
      readonly client: ClientId;
      readonly tasks: number;
      readonly slots: number;
    }
  | {
      readonly type: "cacheChanged";
      readonly client: ClientId;
      readonly added: readonly Sha256[];
      readonly removed: readonly Sha256[];
    }
  /** The connection broke; the client has its grace time to come back. */
  | { readonly type: "clientVanished"; readonly client: ClientId }
  /** It said goodbye, or was banned: everything it holds returns at once, unharmed. */
  | { readonly type: "clientLeft"; readonly client: ClientId }
  | {
      readonly type: "resultsReceived";
      readonly client: ClientId;
      readonly job: JobId;
      readonly results: readonly TaskResult[];
    }
  | { readonly type: "leasesReleased"; readonly client: ClientId; readonly leases: readonly LeaseKey[] }
  | {
      readonly type: "progressReceived";
      readonly client: ClientId;
      readonly lease: LeaseKey;
      readonly fraction: number;
    }
  | {
      readonly type: "checkpointReceived";
      readonly client: ClientId;
      readonly lease: LeaseKey;
      readonly state: Uint8Array;
    }
  /** The store has these on disk: `accepted` ended by it, `dropped` had ended before. */
  | {
      readonly type: "outcomesStored";
      readonly job: JobId;
      readonly accepted: readonly TaskIndex[];
      readonly dropped: readonly TaskIndex[];
      /** How many of the accepted are outputs; the others are failures. */
      readonly done: number;
    }
  /** The store refused them (disk full): the tasks are open still. */
  | { readonly type: "outcomesRefused"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  /** Time passed; to be sent about once a second. */
  | { readonly type: "timePassed" }
  /** The server goes down: from here on nothing is leased or claimed, whatever happens. */
  | { readonly type: "leasingStopped" };

/** Who is to be told once the thing is on disk. */
export interface Acknowledgement {
  readonly client: ClientId;
  readonly index: TaskIndex;
}

/** An event, or a part of one, that does not fit the scheduler's state and changes nothing: for the debug log. */
export interface Misfit {
  readonly why: string;
  readonly about: {
    readonly client?: ClientId;
    readonly job?: JobId;
    readonly index?: TaskIndex;
    readonly attempt?: number;
  };
  /** The state's side of it: how client, job and task stand. */
  readonly story: string;
}

/** What the shell must do: the only way out of the scheduler. */
export type Instruction =
  | { readonly type: "claimTasks"; readonly job: JobId; readonly limit: number }
  | { readonly type: "unclaimTasks"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  | {
      readonly type: "sendLease";
      readonly client: ClientId;
      readonly job: JobDescriptor;
      readonly tasks: readonly LeasedTask[];
    }
  | {
      readonly type: "sendCancel";
      readonly client: ClientId;
      readonly job: JobId;
      readonly indexes: readonly TaskIndex[] | undefined;
    }
  | {
      readonly type: "sendAccepted";
      readonly client: ClientId;
      readonly job: JobId;
      readonly indexes: readonly TaskIndex[];
    }
  /** Of what a client said it holds, what is not its any more. */
  | { readonly type: "sendDropped"; readonly client: ClientId; readonly leases: readonly LeaseKey[] }
  | {
      readonly type: "storeOutcomes";
      readonly job: JobId;
      readonly outcomes: readonly NewOutcome[];
      readonly acknowledge: readonly Acknowledgement[];
    }
  | {
      readonly type: "storeAttempts";
      readonly job: JobId;
      readonly attempts: readonly { readonly index: TaskIndex; readonly attempts: number }[];
      readonly acknowledge: readonly Acknowledgement[];
    }
  | {
      readonly type: "storeCheckpoint";
      readonly job: JobId;
      readonly index: TaskIndex;
      readonly state: Uint8Array;
    }
  | { readonly type: "quarantineJob"; readonly job: JobId; readonly reason: TaskFailure };
