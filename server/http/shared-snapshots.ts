import type { Logger } from "pino";
import type { Snapshot } from "../../shared/wire/rest/status.ts";
import type { Picture, PictureSource } from "./push-streams.ts";

const periodMs = 1_000;

/** Snapshots about once a second: each is computed once for all readers, and none without a reader. */
export class SharedSnapshots implements PictureSource {
  readonly #compute: () => Promise<Snapshot>;
  readonly #log: Logger;
  #picture: Promise<Picture | undefined> | undefined;
  /** Resolves when the snapshot is outdated. */
  #aged: Promise<void> | undefined;

  constructor(compute: () => Promise<Snapshot>, log: Logger) {
    this.#compute = compute;
    this.#log = log;
  }

  /** Undefined when the computation failed. */
  read(): Promise<Picture | undefined> {
    this.#picture ??= this.#compute().then(
      (snapshot) => ({ json: JSON.stringify(snapshot) }),
      (error: unknown) => {
        this.#log.error({ err: error }, "no snapshot for its readers");
        return undefined;
      },
    );
    return this.#picture;
  }

  changed(signal: AbortSignal): Promise<void> {
    this.#aged ??= new Promise((resolve) => {
      const age = (): void => {
        this.#aged = this.#picture = undefined;
        resolve();
      };
      setTimeout(age, periodMs).unref();
    });
    return Promise.race([this.#aged, aborted(signal)]);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
