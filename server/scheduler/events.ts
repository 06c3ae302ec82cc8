import type { ClientId, JobId, Sha256, TaskIndex } from "../../shared/ids.ts";
import type { JobDescriptor, LeasedTask, LeaseKey, TaskResult } from "../../shared/wire/protocol.ts";
import type { Payload } from "../../shared/wire/task.ts";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { Requirements } from "../../shared/wire/rest/requirements.ts";
import type { Compare, Verify } from "../../shared/wire/rest/verification.ts";
import type {
  CheckpointAuthor,
  Checks,
  ClaimedTask,
  NewOutcome,
  NewOutput,
  ProvisionalWindow,
  Standing,
  WindowName,
} from "../store/store.ts";

/** A job as the scheduler knows it. */
export interface SchedulerJob {
  readonly descriptor: JobDescriptor;
  /** Shares in the fair share. */
  readonly customer: string;
  readonly priority: number;
  readonly paused: boolean;
  readonly maxAttempts: number;
  readonly requires: Requirements;
  readonly verify: Verify;
  readonly compare: Compare;
  /** Whether functions of the kernel module look at each result of a stranger. */
  readonly check: boolean;
  /** Clients give different results, so that only trusted clients compute the job. */
  readonly irreproducible: boolean;
  /** Whether the job ends when its first tasks all fail alike. */
  readonly failFast: boolean;
  readonly createdAt: number;
  /** Whether any task of the job was ever done: such a job is never ended as a whole because of failures. */
  readonly everDone: boolean;
}

/** A client as its hello describes it. */
export interface SchedulerClientInfo {
  readonly id: ClientId;
  readonly kind: "browser" | "node";
  readonly memoryMb: number;
  readonly webgpu: boolean;
  /** Commands that the owner of the client allows. */
  readonly commands?: readonly string[] | undefined;
  readonly trusted: boolean;
  /** Name of the client's cohort; a trusted client is a cohort of its own. Failures of strangers count once a cohort. */
  readonly cohort: string;
  /** Whether the client is the server's auditor, which gets only tasks at which strangers failed. */
  readonly auditor?: boolean;
  readonly slots: number;
  /** Keys of trusted signers; absent when the client runs any kernel. */
  readonly trusts?: readonly string[] | undefined;
  /** Whether the connection tells how many bytes the network has taken (`clientRead`), and gets no more than the network takes. */
  readonly paced?: boolean | undefined;
}

/** The way in which results of strangers for a job are verified. */
export interface Verification {
  readonly verify: Verify;
  readonly compare: Compare;
  /** Requirements on clients; `verify: "trusted"` is among them. */
  readonly requires: Requirements;
}

/** A provisional result of a task whose job asks for a quorum, in a window of its own. */
export interface Opinion {
  readonly window: number;
  readonly client: ClientId;
  readonly cohort: string;
}

/** A task that lacks opinions, and those that it has. */
export interface HandedOver {
  readonly index: TaskIndex;
  readonly opinions: readonly Opinion[];
}

/** An event: the only way into the scheduler. */
export type SchedulerEvent =
  | { readonly type: "jobAdded"; readonly job: SchedulerJob }
  | {
      readonly type: "jobChanged";
      readonly job: JobId;
      readonly paused?: boolean;
      readonly priority?: number;
      readonly verification?: Verification;
    }
  /** The job ended (cancelled, quarantined, finished) or was deleted. */
  | { readonly type: "jobEnded"; readonly job: JobId }
  /**
   * The store has unclaimed tasks of the job; `again`: also below those claimed before; `requeued`: failed tasks
   * among them, whose earlier leases clients may remember.
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
      /** Whether certain tasks were asked for, and not all that are open. */
      readonly among?: boolean;
    }
  | { readonly type: "claimFailed"; readonly job: JobId }
  /** The stored bytes of a customer reached the quota, or fell below it. */
  | { readonly type: "quotaChanged"; readonly customer: string; readonly full: boolean }
  /** A blob or kernel was found damaged on the server's disk, or was put again. */
  | { readonly type: "dataChanged"; readonly sha256: Sha256; readonly isMissing: boolean }
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
      /** Whether the client has WebGPU; absent: as before. */
      readonly webgpu?: boolean;
    }
  /** The administrator lets the client finish what it holds, or takes that back. */
  | { readonly type: "clientDrained"; readonly client: ClientId; readonly drained: boolean }
  /** The network took so many bytes of inline values that the client was given; not told for each lease. */
  | { readonly type: "clientRead"; readonly client: ClientId; readonly bytes: number }
  | {
      readonly type: "cacheChanged";
      readonly client: ClientId;
      readonly added: readonly Sha256[];
      readonly removed: readonly Sha256[];
    }
  /** The connection broke; the client has its grace time to come back. */
  | { readonly type: "clientVanished"; readonly client: ClientId }
  /** The client said goodbye, or was banned: all its leases return at once, unharmed. */
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
  /** The outcomes are on disk: `accepted` tasks ended by them, `dropped` ones had ended before. */
  | {
      readonly type: "outcomesStored";
      readonly job: JobId;
      readonly accepted: readonly TaskIndex[];
      readonly dropped: readonly TaskIndex[];
      /** Outputs among the accepted; the others are failures. */
      readonly done: number;
    }
  /** The store refused the outcomes (disk full): the tasks are still open. */
  | { readonly type: "outcomesRefused"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  /** Provisional results that an earlier server left, of jobs that were added. */
  | { readonly type: "provisionalFound"; readonly windows: readonly ProvisionalWindow[] }
  /** Provisional results are on disk; those of `dropped` tasks came too late. */
  | {
      readonly type: "provisionalKept";
      readonly job: JobId;
      readonly window: number;
      readonly kept: readonly TaskIndex[];
      readonly dropped: readonly TaskIndex[];
    }
  | {
      readonly type: "provisionalRefused";
      readonly job: JobId;
      readonly window: number;
      readonly indexes: readonly TaskIndex[];
    }
  /** A provisional result of a job with a quorum is on disk. */
  | {
      readonly type: "opinionKept";
      readonly job: JobId;
      readonly index: TaskIndex;
      readonly opinion: Opinion;
    }
  /** Windows of a task whose outputs agree, in groups. */
  | {
      readonly type: "outputsGrouped";
      readonly job: JobId;
      readonly index: TaskIndex;
      readonly groups: readonly (readonly number[])[];
    }
  /** Results of a window are outcomes; `dropped` ones had an outcome before. */
  | {
      readonly type: "provisionalAccepted";
      readonly job: JobId;
      readonly window: number;
      readonly accepted: readonly TaskIndex[];
      readonly dropped: readonly TaskIndex[];
    }
  | {
      readonly type: "acceptRefused";
      readonly job: JobId;
      readonly window: number;
      readonly indexes: readonly TaskIndex[];
    }
  /** Results were withdrawn: their tasks can be claimed again. */
  | { readonly type: "provisionalReopened"; readonly job: JobId }
  /** Tasks to be audited, with their provisional outputs when they are to be inspected. */
  | {
      readonly type: "auditsRead";
      readonly job: JobId;
      readonly window: number;
      /** Number of tasks that were to be read. */
      readonly asked: number;
      readonly tasks: readonly ClaimedTask[];
      readonly outputs: ReadonlyMap<TaskIndex, Payload> | undefined;
    }
  /** Two outputs were compared; `agree` is undefined when only the kernel module can tell, and `first` the first of them then. */
  | {
      readonly type: "outputsCompared";
      readonly job: JobId;
      readonly window: number;
      readonly index: TaskIndex;
      readonly agree: boolean | "gone" | undefined;
      readonly first: Payload | undefined;
    }
  /** The client has joined another server, and told of leases there. */
  | { readonly type: "clientMoved"; readonly client: ClientId }
  /** Tasks ended by results that another server took. */
  | { readonly type: "tasksEnded"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  /** Other servers have clients, which may give the opinions that clients of this server cannot give. */
  | { readonly type: "othersSeen" }
  /** Another server gave back tasks of the job that lack opinions. */
  | { readonly type: "tasksHandedOver"; readonly job: JobId; readonly tasks: readonly HandedOver[] }
  /** The other servers took this server for dead: nothing is claimed any more. New windows are numbered from `firstWindow`. */
  | { readonly type: "claimsLost"; readonly firstWindow: number }
  /** Time passed; to be sent about once a second. */
  | { readonly type: "timePassed" }
  /** The server goes down: nothing is leased or claimed any more, whatever happens. */
  | { readonly type: "leasingStopped" };

/** A client to be told once an outcome or attempt is on disk. */
export interface Acknowledgement {
  readonly client: ClientId;
  readonly index: TaskIndex;
}

/** An event, or a part of one, that does not fit the scheduler's state and changes nothing: for the debug log. */
export interface IgnoredEvent {
  readonly why: string;
  readonly about: {
    readonly client?: ClientId;
    readonly job?: JobId;
    readonly index?: TaskIndex;
    readonly attempt?: number;
  };
  /** Client, job and task as they are in the state. */
  readonly story: string;
}

/** An instruction to the shell: the only way out of the scheduler. */
export type Instruction =
  | {
      readonly type: "claimTasks";
      readonly job: JobId;
      readonly limit: number;
      readonly among?: readonly TaskIndex[];
    }
  /** Tells the other servers of ended tasks that one of them may have claimed. */
  | { readonly type: "tellEnded"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  | { readonly type: "unclaimTasks"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  /** Gives tasks that lack opinions back, and tells the other servers of them. */
  | { readonly type: "handOver"; readonly job: JobId; readonly tasks: readonly HandedOver[] }
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
  /** Held leases that are not the client's any more. */
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
      readonly by: CheckpointAuthor | undefined;
    }
  /** Keeps outputs of a stranger; an `opinion` is of a job with a quorum. */
  | {
      readonly type: "keepProvisional";
      readonly job: JobId;
      readonly window: WindowName;
      readonly outputs: readonly NewOutput[];
      readonly isOpinion: boolean;
    }
  | {
      readonly type: "acceptProvisional";
      readonly job: JobId;
      readonly window: number;
      readonly client: ClientId;
      readonly indexes: readonly TaskIndex[];
      /** Results with which another computation agreed. */
      readonly agreed: readonly TaskIndex[];
      readonly checks: Partial<Checks>;
    }
  /** Withdraws results of a window, all without `indexes`; `results` names them for readers. `agreed`: another opinion that says the same is accepted. */
  | {
      readonly type: "withdrawProvisional";
      readonly job: JobId;
      readonly window: number;
      readonly client: ClientId;
      readonly indexes: readonly TaskIndex[] | undefined;
      readonly results: readonly TaskIndex[];
      readonly agreed?: true;
      readonly checks: Partial<Checks>;
    }
  /** Reads tasks to be audited; with `inspect` their provisional outputs as well. */
  | {
      readonly type: "readAudits";
      readonly job: JobId;
      readonly window: number;
      readonly indexes: readonly TaskIndex[];
      readonly inspect: boolean;
    }
  /** Compares an output with another, or with the provisional output of the window when `first` is absent. */
  | {
      readonly type: "compareOutputs";
      readonly job: JobId;
      readonly window: number;
      readonly index: TaskIndex;
      readonly compare: Compare;
      readonly first: Payload | undefined;
      readonly second: Payload;
    }
  /** Finds out which provisional outputs of a task agree. */
  | {
      readonly type: "groupOutputs";
      readonly job: JobId;
      readonly index: TaskIndex;
      readonly windows: readonly number[];
      readonly compare: Compare;
    }
  | { readonly type: "saveStanding"; readonly standing: Standing }
  | { readonly type: "noteIrreproducible"; readonly job: JobId }
  /** Lifts bans that were given for results of a kernel that is not reproducible. */
  | { readonly type: "pardonClients"; readonly clients: readonly ClientId[] }
  | { readonly type: "quarantineJob"; readonly job: JobId; readonly reason: TaskFailure }
  /** Starts the auditor, because a task at which strangers failed waits. */
  | { readonly type: "callAuditors" }
  /** Refuses a client that failed in several jobs where others did not. */
  | { readonly type: "barClient"; readonly client: ClientId; readonly reason: string };
