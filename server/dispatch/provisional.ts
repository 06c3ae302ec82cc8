import type { Logger } from "pino";
import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { Payload, Verdict } from "../../shared/wire/protocol.ts";
import type { Compare } from "../../shared/wire/rest/verification.ts";
import type { NewOutput, Store } from "../store/store.ts";
import { agree } from "./agree.ts";
import type { DispatcherListener } from "./dispatcher-listener.ts";
import type { Acknowledgement, Instruction, SchedulerEvent } from "../scheduler/events.ts";
import { isGone, untilDone } from "./until-done.ts";

/** Reads a blob of at most `maxBytes` whole; undefined when it is larger, or not here. */
export type ReadBlob = (name: BlobName, maxBytes: number) => Promise<Uint8Array | undefined>;

type Of<T extends Instruction["type"]> = Extract<Instruction, { type: T }>;

interface Parts {
  readonly store: Store;
  readonly log: Logger;
  readonly listener: DispatcherListener;
  readonly readBlob: ReadBlob | undefined;
  readonly feed: (event: SchedulerEvent) => void;
  /** Acknowledges provisional results. */
  readonly acknowledge: (job: JobId, acknowledge: readonly Acknowledgement[]) => void;
  readonly tell: (client: ClientId, verdict: Verdict) => void;
}

/** Largest output in a blob that is compared otherwise than by its bits. */
const comparedBytes = 16 * 1024 * 1024;

/** Carries out the scheduler's instructions about provisional results. */
export class Provisional {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  keep({ job, window, outputs, isOpinion }: Of<"keepProvisional">): void {
    const { store, listener, feed, acknowledge } = this.#parts;
    const { client, cohort } = window;
    const indexes = outputs.map(({ index }) => index);
    const acknowledged = () =>
      acknowledge(
        job,
        indexes.map((index) => ({ client, index })),
      );
    store.keepProvisional(job, window, outputs).then(
      ({ kept, dropped, job: row }) => {
        acknowledged();
        if (isOpinion && kept[0] !== undefined)
          feed({
            type: "opinionKept",
            job,
            index: kept[0],
            opinion: { window: window.number, client, cohort },
          });
        else feed({ type: "provisionalKept", job, window: window.number, kept, dropped });
        listener.provisionalKept?.(row, client, dropped.length === 0 ? outputs : outputsOf(outputs, kept));
      },
      (error: unknown) => {
        if (isGone(error)) return acknowledged();
        this.#failed(error, job, "could not store provisional results; their clients keep them");
        feed({ type: "provisionalRefused", job, window: window.number, indexes });
      },
    );
  }

  accept({ job, window, client, indexes, agreed, checks }: Of<"acceptProvisional">): void {
    const { store, listener, feed } = this.#parts;
    store.acceptProvisional(job, window, indexes, checks).then(
      ({ accepted, dropped, reopened, job: row }) => {
        feed({ type: "provisionalAccepted", job, window, accepted, dropped });
        if (reopened.length > 0) feed({ type: "provisionalReopened", job });
        const checked = accepted.filter((index) => agreed.includes(index));
        this.#tell(client, job, "checked", checked);
        this.#tell(
          client,
          job,
          "accepted",
          accepted.filter((index) => !agreed.includes(index)),
        );
        this.#tell(client, job, "withdrawn", dropped);
        listener.provisionalAccepted?.(row, client, accepted, dropped);
        if (row.state === "finished") feed({ type: "jobEnded", job });
      },
      (error: unknown) => {
        if (isGone(error)) return;
        this.#failed(error, job, "could not accept results; trying again in a second");
        setTimeout(() => feed({ type: "acceptRefused", job, window, indexes }), 1000).unref();
      },
    );
  }

  withdraw({ job, window, client, indexes, results, agreed, checks }: Of<"withdrawProvisional">): void {
    const { store, listener, feed } = this.#parts;
    this.#untilDone(job, "withdraw results", async () => {
      const { reopened, job: row } = await store.withdrawProvisional(job, window, indexes, checks);
      if (reopened.length > 0) feed({ type: "provisionalReopened", job });
      this.#tell(client, job, agreed ? "checked" : "withdrawn", results);
      listener.provisionalWithdrawn?.(row, client, results);
    });
  }

  /** Tells a client, when it is there, what became of its results. */
  #tell(
    client: ClientId,
    job: JobId,
    state: "accepted" | "checked" | "withdrawn",
    indexes: readonly TaskIndex[],
  ): void {
    if (indexes.length > 0) this.#parts.tell(client, { type: "verdict", job, state, indexes: [...indexes] });
  }

  readAudits(instruction: Of<"readAudits">): void {
    this.#untilDone(instruction.job, "read tasks to audit", () => this.#readAudits(instruction));
  }

  async #readAudits({ job, window, indexes, inspect }: Of<"readAudits">): Promise<void> {
    const { store, feed } = this.#parts;
    const tasks = await store.readTasks(job, indexes);
    const outputs = inspect ? new Map<number, Payload>() : undefined;
    if (outputs)
      for (const index of indexes) {
        const found = await store.provisionalOutput(job, window, index);
        if (found) outputs.set(index, found.output);
      }
    feed({ type: "auditsRead", job, window, asked: indexes.length, tasks, outputs });
  }

  compare(instruction: Of<"compareOutputs">): void {
    this.#untilDone(instruction.job, "compare results", () => this.#compare(instruction));
  }

  async #compare({ job, window, index, compare, first: given, second }: Of<"compareOutputs">): Promise<void> {
    const { store, feed } = this.#parts;
    const first = given ?? (await store.provisionalOutput(job, window, index))?.output;
    const agrees = first === undefined ? "gone" : await this.#agree(first, second, compare);
    feed({ type: "outputsCompared", job, window, index, agree: agrees, first });
  }

  group(instruction: Of<"groupOutputs">): void {
    this.#untilDone(instruction.job, "compare results", () => this.#group(instruction));
  }

  async #group({ job, index, windows, compare }: Of<"groupOutputs">): Promise<void> {
    const groups: { output: Payload; windows: number[] }[] = [];
    for (const window of windows) {
      const found = await this.#parts.store.provisionalOutput(job, window, index);
      if (!found) continue;
      const same = await this.#firstAgreeing(groups, found.output, compare);
      if (same) same.windows.push(window);
      else groups.push({ output: found.output, windows: [window] });
    }
    this.#parts.feed({ type: "outputsGrouped", job, index, groups: groups.map((group) => group.windows) });
  }

  async #firstAgreeing<T extends { output: Payload }>(
    groups: readonly T[],
    output: Payload,
    compare: Compare,
  ): Promise<T | undefined> {
    for (const group of groups) if ((await this.#agree(group.output, output, compare)) === true) return group;
    return undefined;
  }

  /** Whether two outputs agree; undefined when only the kernel module can tell, or when they are too large. */
  async #agree(a: Payload, b: Payload, compare: Compare): Promise<boolean | undefined> {
    if (agree(a, b, "bits")) return true;
    if (compare === "bits") return false;
    if (compare === "kernel") return undefined;
    const [first, second] = [await this.#bytesOf(a), await this.#bytesOf(b)];
    return first && second && agree(first, second, compare);
  }

  async #bytesOf(payload: Payload): Promise<Uint8Array | undefined> {
    if (payload instanceof Uint8Array) return payload;
    return this.#parts.readBlob?.(payload, comparedBytes);
  }

  noteIrreproducible(job: JobId): void {
    const { store, listener, log } = this.#parts;
    log.warn({ job }, "strangers' results of this job differ: only trusted clients compute it from now on");
    this.#untilDone(job, "note that a job is not reproducible", async () => {
      const row = await store.noteChecks(job, { irreproducible: true });
      listener.jobChanged?.(row);
    });
  }

  #untilDone(job: JobId, what: string, work: () => Promise<void>): void {
    untilDone(this.#parts.log, what, { job }, work);
  }

  #failed(error: unknown, job: JobId, what: string): void {
    this.#parts.log.error({ err: error, job }, what);
  }
}

function outputsOf(outputs: readonly NewOutput[], indexes: readonly TaskIndex[]): NewOutput[] {
  const wanted = new Set(indexes);
  return outputs.filter(({ index }) => wanted.has(index));
}
