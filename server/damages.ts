import type { Logger } from "pino";
import type { Sha256 } from "../shared/ids.ts";
import { describeDamage, type Damage } from "./store/sql/checksum.ts";

/** Most pieces of damaged data that are told apart; the count goes on. */
const maxKnown = 10_000;

/** Damaged data of the database that was read since the start, each piece once: for the log, the status page and the metrics. */
export class Damages {
  readonly #log: Logger;
  readonly #known = new Set<string>();
  #count = 0;
  /** Called with each kernel that was found damaged. */
  onKernel: ((sha256: Sha256) => void) | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  get count(): number {
    return this.#count;
  }

  note(damage: Damage): void {
    const { what, job, tasks, kernel } = damage;
    if (kernel !== undefined) this.onKernel?.(kernel);
    const name = [what, kernel ?? job, tasks?.[0], tasks?.length].join(" ");
    if (this.#known.has(name)) return;
    if (this.#known.size < maxKnown) this.#known.add(name);
    this.#count++;
    this.#log.error(
      { what, ...(job !== undefined && { job }), ...(kernel !== undefined && { kernel }) },
      `${describeDamage(damage)} The disk or its memory changed it; nothing else is affected.`,
    );
  }
}
