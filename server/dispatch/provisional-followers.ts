import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { JobRow, NewOutput } from "../store/store.ts";

/** A change of a job's provisional results. */
export type ProvisionalChange =
  | { readonly state: "kept"; readonly client: ClientId; readonly outputs: readonly NewOutput[] }
  | {
      readonly state: "accepted" | "withdrawn";
      readonly client: ClientId;
      readonly indexes: readonly TaskIndex[];
    };

/** Changes that wait for one reader take at most this much memory, as a page of results does, or one message of a client. */
const waitingBytes = 1024 * 1024;
/** Estimated bytes of a notice, or of a result beside its output. */
const itemBytes = 64;

/** The changes that one reader of a job's provisional results has not taken yet. */
export class ProvisionalFollower {
  /** Ends the following. */
  readonly close: () => void;
  #changes: ProvisionalChange[] = [];
  #bytes = 0;
  #isBehind = false;
  #seq = 0;

  constructor(close: () => void) {
    this.close = close;
  }

  /** Begins afresh: the reader is about to read the present results. */
  begin(): void {
    this.#clear();
    this.#isBehind = false;
  }

  /** @param seq - sequence number of the job's newest outcome at the change */
  add(change: ProvisionalChange, seq: number): void {
    if (this.#isBehind) return;
    const bytes = bytesOf(change);
    if (this.#bytes > 0 && this.#bytes + bytes > waitingBytes) {
      this.miss();
      return;
    }
    this.#changes.push(change);
    this.#bytes += bytes;
    this.#seq = seq;
  }

  /** Notes that there were changes that cannot be given one by one: the reader has to begin afresh. */
  miss(): void {
    this.#clear();
    this.#isBehind = true;
  }

  get hasNews(): boolean {
    return this.#isBehind || this.#changes.length > 0;
  }

  /**
   * Takes the waiting changes, in order; undefined when the reader was too far behind to keep them.
   * `seq` is the sequence number of the job's newest outcome after the last of them.
   */
  take(): { readonly changes: readonly ProvisionalChange[]; readonly seq: number } | undefined {
    if (this.#isBehind) return undefined;
    const changes = this.#changes;
    this.#clear();
    return { changes, seq: this.#seq };
  }

  #clear(): void {
    this.#changes = [];
    this.#bytes = 0;
  }
}

/** The followers of provisional results, by job. A job without followers costs a look into a map. */
export class ProvisionalFollowers {
  readonly #followers = new Map<JobId, Set<ProvisionalFollower>>();

  follow(job: JobId): ProvisionalFollower {
    const followers = this.#followers.get(job) ?? new Set();
    this.#followers.set(job, followers);
    const follower = new ProvisionalFollower(() => {
      followers.delete(follower);
      if (followers.size === 0 && this.#followers.get(job) === followers) this.#followers.delete(job);
    });
    followers.add(follower);
    return follower;
  }

  /** Another server changed provisional results of the job: its followers read the present ones again. */
  miss(job: JobId): void {
    for (const follower of this.#followers.get(job) ?? []) follower.miss();
  }

  tell({ id, lastSeq }: JobRow, change: ProvisionalChange): void {
    const followers = this.#followers.get(id);
    if (!followers || sizeOf(change) === 0) return;
    for (const follower of followers) follower.add(change, lastSeq);
  }
}

function sizeOf(change: ProvisionalChange): number {
  return change.state === "kept" ? change.outputs.length : change.indexes.length;
}

function bytesOf(change: ProvisionalChange): number {
  let bytes = sizeOf(change) * itemBytes;
  if (change.state === "kept")
    for (const { output } of change.outputs) bytes += output instanceof Uint8Array ? output.length : 0;
  return bytes;
}
