import * as v from "valibot";
import { limits } from "../limits.ts";
import { jobIdSchema } from "../ids.ts";
import { taskResultSchema, type LeaseKey } from "../wire/protocol.ts";
import type { ClientPorts, OutboxEntry } from "./ports.ts";
import { describeThrown } from "./sandbox/runner-failure.ts";

/** Writes to the outbox in order, so that an entry that is saved and then removed stays removed. */
export class OutboxKeeper {
  readonly #ports: Pick<ClientPorts, "outbox" | "log">;
  #last: Promise<void> = Promise.resolve();

  constructor(ports: Pick<ClientPorts, "outbox" | "log">) {
    this.#ports = ports;
  }

  /** Entries of an earlier run; an unreadable outbox counts as empty. */
  async load(): Promise<OutboxEntry[]> {
    await this.#last;
    try {
      const entries: unknown[] = await this.#ports.outbox.load();
      return entries.filter(isEntry);
    } catch (error) {
      this.#warn("The outbox could not be read", error);
      return [];
    }
  }

  save(entries: readonly OutboxEntry[]): void {
    this.#then("A finished result could not be kept", () => this.#ports.outbox.save(entries));
  }

  remove(keys: readonly LeaseKey[]): void {
    this.#then("A delivered result could not be removed", () => this.#ports.outbox.remove(keys));
  }

  /** Resolves when all earlier writes are done. */
  settled(): Promise<void> {
    return this.#last;
  }

  #then(failure: string, action: () => Promise<void>): void {
    // The first write begins at once, because a closing page does not run later callbacks.
    this.#pending++;
    const done =
      this.#pending === 1
        ? this.#attempt(failure, action)
        : this.#last.then(() => this.#attempt(failure, action));
    this.#last = done.then(() => {
      this.#pending--;
    });
  }

  #pending = 0;

  async #attempt(failure: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#warn(failure, error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#ports.log("warn", `${message}: ${describeThrown(error).message}`);
  }
}

/** Checks an entry from disk, which may be damaged or of another version: the server would refuse this client for it. */
function isEntry(raw: unknown): raw is OutboxEntry {
  if (typeof raw !== "object" || raw === null || !("job" in raw) || !("result" in raw)) return false;
  return v.is(jobIdSchema, raw.job) && v.is(taskResultSchema, withSmallOutput(raw.result));
}

/** The result with a small output in place of its real output, which may be larger than the wire allows until it is a blob. */
function withSmallOutput(result: unknown): unknown {
  if (typeof result !== "object" || result === null || !("outcome" in result)) return result;
  const { outcome } = result;
  if (typeof outcome !== "object" || outcome === null || !("output" in outcome)) return result;
  const large = outcome.output instanceof Uint8Array && outcome.output.length > limits.inlineValueBytes;
  return large ? { ...result, outcome: { ...outcome, output: new Uint8Array() } } : result;
}
