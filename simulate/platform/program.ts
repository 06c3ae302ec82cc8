import { HttpClient } from "../../customer/http.ts";
import type { Job } from "../../customer/job.ts";
import { Hands } from "../../customer/hands.ts";
import type { TaskOutcome } from "../../customer/outcomes.ts";
import { PlatformError, type ErrorCode } from "../../shared/errors.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { kernels, truth } from "./kernels.ts";
import { must } from "./ledger.ts";
import type { Host } from "./network.ts";
import type { JobPlan } from "./plan.ts";
import type { SimulatedRequest } from "./requests.ts";
import type { Surroundings } from "./surroundings.ts";
import { Process } from "./virtual-time.ts";

/** The end of a job as its program saw it. */
type End = "finished" | ErrorCode;

/** A customer's program: the real SDK, on the network of the world. It may die at any time, and is run again from its beginning. */
export class Program implements Host {
  readonly name: string;
  readonly address = "10.1.0.1";
  cutUntil = 0;
  process: Process;
  isDone = false;
  readonly #world: Surroundings;
  readonly #plans: readonly JobPlan[];
  readonly #token: string;
  #lives = 0;

  constructor(world: Surroundings, name: string, token: string, plans: readonly JobPlan[]) {
    this.#world = world;
    this.name = name;
    this.#token = token;
    this.#plans = plans;
    this.process = new Process(name);
    this.process.isAlive = false;
  }

  boot(delayMs: number): void {
    if (this.process.isAlive || this.isDone) return;
    const process = new Process(`${this.name}.${++this.#lives}`);
    this.process = process;
    this.#world.time.schedule(process, delayMs, "program starts", () => {
      this.#main().then(
        () => {
          this.isDone = true;
        },
        (error: unknown) => this.#world.fail(error),
      );
    });
  }

  kill(): void {
    this.process.isAlive = false;
  }

  async #main(): Promise<void> {
    const { name } = this;
    const http = new HttpClient({
      url: `http://${name}/`,
      findToken: async () => this.#token,
      patienceMs: Infinity,
      log: () => undefined,
      fetch: (url, init, options = {}) => this.#fetch(url, init, options.silenceMs ?? 15_000),
    });
    const hands = new Hands(http);
    const jobs: Job[] = [];
    const ends: Promise<End>[] = [];
    for (const plan of this.#plans) {
      const before = jobs.at(-1);
      const job = hands.map<number, Value>(kernels[plan.kernel].given, inputsOf(plan), {
        name: plan.name,
        ...(plan.isKeyed && { key: plan.name }),
        verify: plan.verify,
        // Many, because a storm loses attempts, and few where the kernel throws.
        maxAttempts: throws(plan) ? 20 : 100,
        failFast: false,
        timeoutMs: 60_000,
        ...(plan.isAfter && before && { after: [before] }),
      });
      jobs.push(job);
      ends.push(this.#follow(plan, job));
    }
    const ended = await Promise.all(ends);
    for (const [at, plan] of this.#plans.entries()) this.#checkEnd(at, plan, ended);
    for (const [at, plan] of this.#plans.entries()) if (plan.deletes) await jobs[at]!.delete();
    hands.close();
  }

  #checkEnd(at: number, plan: JobPlan, ended: readonly End[]): void {
    const end = ended[at];
    if (end === "finished") return;
    // A program that was still submitting, and could not ask why, sees only that the job takes no tasks.
    const isRefused = end === "WRONG_STATE";
    const wasCancelled = (end === "JOB_CANCELLED" || isRefused) && plan.cancelAtMs !== undefined;
    const earlierFailed = this.#plans
      .slice(0, at)
      .some((earlier, i) => mayFail(earlier) || ended[i] !== "finished");
    const wasBlocked = (end === "JOB_BLOCKED" || isRefused) && plan.isAfter && earlierFailed;
    must(wasCancelled || wasBlocked, () => `job "${plan.name}" ended as ${end}`);
  }

  /** Reads a job's outcomes to its end. */
  async #follow(plan: JobPlan, job: Job): Promise<End> {
    const { time } = this.#world;
    const { cancelAtMs, pauseAtMs, pauseMs } = plan;
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const quietly = (what: Promise<unknown>): void => void what.catch(() => undefined);
    if (cancelAtMs !== undefined) quietly(wait(cancelAtMs).then(() => job.cancel()));
    const reading = { isOver: false };
    const pauseForAWhile = async (atMs: number): Promise<void> => {
      await wait(atMs);
      await job.pause();
      await wait(pauseMs);
      // Resuming is repeated: a pause that the program asked for before its restart may arrive late.
      for (; !reading.isOver; await wait(20_000)) await job.resume();
    };
    if (pauseAtMs !== undefined) quietly(pauseForAWhile(pauseAtMs));
    const outcomes = new Map<number, TaskOutcome<Value>>();
    let seq = 0;
    let hasRequeued = false;
    try {
      for (;;) {
        let failed = 0;
        for await (const outcome of job.outcomes({ after: seq })) {
          this.#checkOutcome(plan, outcome, seq, hasRequeued ? undefined : outcomes);
          ({ seq } = outcome);
          outcomes.set(outcome.index, outcome);
        }
        for (const { error } of outcomes.values()) if (error) failed++;
        must(
          outcomes.size === plan.inputs.length,
          () =>
            `[ONCE-4] "${plan.name}" finished with ${outcomes.size} of ${plan.inputs.length} outcomes read`,
        );
        if (!plan.requeues || hasRequeued || failed === 0) break;
        hasRequeued = true;
        await job.requeueFailed();
      }
      return "finished";
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      time.trace.note(`${plan.name} ended: ${error.code} ${error.message}`);
      return error.code;
    } finally {
      reading.isOver = true;
    }
  }

  #checkOutcome(
    { name, kernel, inputs, verify, mayTimeOut }: JobPlan,
    { seq, index, output, error }: TaskOutcome<Value>,
    before: number,
    outcomes: ReadonlyMap<number, unknown> | undefined,
  ): void {
    must(seq > before, () => `[ONCE-4] "${name}" read result ${seq} after ${before}`);
    if (outcomes) {
      must(!outcomes.has(index), () => `[ONCE-1] "${name}" read two outcomes of task ${index}`);
      // Numbers have no gaps as long as nothing was requeued.
    }
    const expected = truth(kernels[kernel], inputs[index]!);
    // Results that nobody could verify may be wrong; the ledger counts them.
    if (verify === "audit") return;
    const isRight = error
      ? expected === undefined || (mayTimeOut && error.kind === "timeout")
      : expected !== undefined && Buffer.compare(encodeValue(output), encodeValue(expected)) === 0;
    must(
      isRight,
      () => `"${name}" read a wrong outcome of task ${index}: ${error?.message ?? JSON.stringify(output)}`,
    );
  }

  async #fetch(url: URL, init: RequestInit, silenceMs: number): Promise<Response> {
    const { body } = init;
    const request: SimulatedRequest = {
      method: init.method ?? "GET",
      path: `${url.pathname.slice(1)}${url.search}`,
      headers: init.headers as Record<string, string>,
      body: typeof body === "string" ? Buffer.from(body) : (body as Uint8Array | undefined),
    };
    const { ledger } = this.#world;
    ledger.asked(request);
    const response = await this.#world.request(this, request, { silenceMs, signal: init.signal });
    if (!response.ok || request.method === "GET") return response as unknown as Response;
    const text = await response.text();
    ledger.replied(request, text);
    const bytes = async () => Buffer.from(text);
    return { ...response, text: async () => text, arrayBuffer: bytes } as unknown as Response;
  }
}

/** Whether a task of the job may fail for good. */
function mayFail(plan: JobPlan): boolean {
  return plan.mayTimeOut || throws(plan);
}

/** Whether the kernel throws at one of the inputs. */
function throws({ kernel, inputs }: JobPlan): boolean {
  return inputs.some((input) => truth(kernels[kernel], input) === undefined);
}

async function* inputsOf({ inputs, inputMs }: JobPlan): AsyncGenerator<number, void, undefined> {
  for (const input of inputs) {
    if (inputMs > 0) await new Promise((resolve) => setTimeout(resolve, inputMs));
    yield input;
  }
}
