import type { ClientId, JobId } from "../../shared/ids.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";
import { ofType, SchedulerHarness } from "./scheduler-harness.ts";
import type { Instruction, SchedulerEvent, SchedulerJob } from "../../server/scheduler/events.ts";

/** A scheduler with all its instructions. */
export class SchedulerLab extends SchedulerHarness {
  readonly all: Instruction[] = [];

  override feed(event: SchedulerEvent): Instruction[] {
    const out = super.feed(event);
    this.all.push(...out);
    return out;
  }

  job(count: number, options: Partial<SchedulerJob> = {}): JobId {
    const job = this.addJob({ failFast: false, ...options });
    this.claim(
      job,
      Array.from({ length: count }, (_, index) => index),
    );
    return job;
  }

  stranger(cohort = "lab"): ClientId {
    return this.join(0, { trusted: false, cohort });
  }

  /** A trusted client that computes a long task; its result frees the client. */
  busyNode(): { node: ClientId; setFree: () => Instruction[] } {
    const job = this.job(1, { priority: 9 });
    const node = this.join(1);
    return { node, setFree: () => this.finish(node, job, 0) };
  }

  /** Lets a client fail at every task that it is given, at most so many. @returns at how many */
  failAll(client: ClientId, kind: FailureKind = "error", most = 20): number {
    for (let count = 0; count < most; count++) {
      this.want(client, 1);
      const [lease] = this.held(client);
      if (!lease) return count;
      this.fail(client, lease.job, lease.index, lease.attempt, kind);
    }
    return most;
  }

  held(client: ClientId): { job: JobId; index: number; attempt: number }[] {
    const leases = [...(this.scheduler.client(client)?.leases ?? [])];
    return leases.map(({ task, attempt }) => ({ job: task.job.id, index: task.index, attempt }));
  }

  get failures(): string[] {
    return ofType(this.all, "storeOutcomes").flatMap(({ outcomes }) =>
      outcomes.flatMap((outcome) => (outcome.state === "failed" ? [outcome.failure.kind] : [])),
    );
  }

  get ended(): boolean {
    return ofType(this.all, "quarantineJob").length > 0;
  }
}
