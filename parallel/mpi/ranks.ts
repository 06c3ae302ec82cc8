import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../shared/errors.ts";

const keptErrorOutput = 16 * 1024;
const shownErrorOutput = 3_000;
/** Ranks hand back their tasks at once when they are told to end; the launcher is killed after this long. */
const endMs = 10_000;
/** The system takes this long at most to say that a process was killed. */
const killedMs = 2_000;

interface RanksOptions {
  readonly command: readonly [program: string, ...parameters: string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Called once when every rank is gone without a call of `end`. */
  readonly onGone: (error: PlatformError) => void;
}

/** Ranks under their launcher. */
export class Ranks {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #killOnExit: () => void;
  #asked = false;
  #errorOutput = "";

  constructor({ command, env, onGone }: RanksOptions) {
    const [program, ...parameters] = command;
    this.#child = spawn(program, parameters, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-keptErrorOutput);
    });
    // For a program that ends without close(): the launcher ends its ranks on SIGTERM.
    this.#killOnExit = () => void this.#child.kill("SIGTERM");
    process.on("exit", this.#killOnExit);
    this.#ended = new Promise((resolve) => {
      const end = (how: string, cause?: unknown): void => {
        process.off("exit", this.#killOnExit);
        resolve();
        if (this.#asked) return;
        this.#asked = true;
        onGone(new PlatformError("RANKS_GONE", this.#describe(program, how), cause));
      };
      this.#child.once("error", (error) => end(`could not be started: ${error.message}`, error));
      this.#child.once("close", (code, signal) =>
        end(signal ? `was ended by ${signal}` : `ended with status ${code}`),
      );
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends every rank. Resolves when the launcher is gone. */
  async end(): Promise<void> {
    this.#asked = true;
    this.#child.kill("SIGTERM");
    const patience = new AbortController();
    const late = sleep(endMs, "late", { signal: patience.signal }).catch(() => "");
    if ((await Promise.race([this.#ended, late])) === "late") this.#child.kill("SIGKILL");
    patience.abort();
    // A rank that a killed launcher left behind may hold its output open.
    await Promise.race([this.#ended, sleep(killedMs, undefined, { ref: false })]);
  }

  #describe(program: string, how: string): string {
    const said = this.#errorOutput.trim().slice(-shownErrorOutput);
    return `All MPI ranks are gone: ${program} ${how}${said ? `. It said:\n${said}` : ", and said nothing."}`;
  }
}
