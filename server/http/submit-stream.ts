import { PlatformError } from "../../shared/errors.ts";
import type { Submitted } from "../../shared/wire/rest/submission.ts";
import type { NewTask } from "../store/store.ts";

/** A batch is one commit of the store: large enough that the commit costs little, small enough for memory. */
const batchTasks = 1000;
const batchBytes = 1024 * 1024;

/** Writes a batch of tasks to disk. */
export type SubmitBatch = (tasks: readonly NewTask[]) => Promise<Submitted>;

/** Collects tasks into batches and submits each before it takes more: a fast sender is slowed down, and memory holds one batch. */
export class TaskBatcher {
  readonly #submit: SubmitBatch;
  readonly #noun: string;
  #batch: NewTask[] = [];
  #bytes = 0;
  #position = 0;
  #sum: Submitted;

  /** @param noun - word for an item in refusals: "line", "item" */
  constructor(submit: SubmitBatch, noun: string, total: number) {
    this.#submit = submit;
    this.#noun = noun;
    this.#sum = { added: 0, repeated: 0, total };
  }

  /**
   * Takes every item and reads it with `read`.
   * @throws PlatformError of the first broken item, naming its position from 1; the items before are then submitted
   */
  async take<Raw>(
    raws: Iterable<Raw>,
    read: (raw: Raw) => Promise<NewTask> | NewTask | undefined,
  ): Promise<void> {
    for (const raw of raws) {
      this.#position++;
      let task: NewTask | undefined;
      try {
        const reading = read(raw);
        task = reading instanceof Promise ? await reading : reading;
      } catch (error) {
        throw await this.broken(error);
      }
      if (!task) continue;
      this.#batch.push(task);
      this.#bytes += task.input instanceof Uint8Array ? task.input.length : 0;
      if (this.#batch.length >= batchTasks || this.#bytes >= batchBytes) await this.#flush();
    }
  }

  /** Submits the remaining tasks. */
  async finish(): Promise<Submitted> {
    await this.#flush();
    return this.#sum;
  }

  /** The refusal of the item at the current position, or (not counted yet) after it. The items before are submitted. */
  async broken(error: unknown, position = this.#position): Promise<PlatformError> {
    await this.#flush();
    const refusal = PlatformError.from(error);
    return new PlatformError(
      refusal.code,
      `${this.#noun} ${position}: ${refusal.message} ${this.#accepted()}`,
      refusal.cause ?? refusal,
      refusal.remedy,
    );
  }

  get position(): number {
    return this.#position;
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#bytes = 0;
    let submitted: Submitted;
    try {
      submitted = await this.#submit(batch);
    } catch (error) {
      const { code, message, cause, remedy } = PlatformError.from(error);
      throw new PlatformError(code, `${message} ${this.#accepted()}`, cause, remedy);
    }
    const { added, repeated } = this.#sum;
    this.#sum = {
      added: added + submitted.added,
      repeated: repeated + submitted.repeated,
      total: submitted.total,
    };
  }

  #accepted(): string {
    const { added, repeated } = this.#sum;
    return `Of this request ${added} new and ${repeated} repeated tasks were accepted before that and stay.`;
  }
}
