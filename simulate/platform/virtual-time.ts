import { EventQueue } from "../event-queue.ts";
import type { Trace } from "./trace.ts";

/** A process of the simulated world: server, client or customer. A callback belongs to one process. */
export class Process {
  readonly name: string;
  isAlive = true;
  /** Time before which the process is stopped (SIGSTOP, a machine that sleeps). */
  heldUntil = 0;
  /** Steps that wait for the process to go on, in their order. */
  held: Step[] = [];
  /** Difference of its wall clock to the true time. */
  wallOffsetMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** A step that is scheduled. */
export interface Step {
  readonly process: Process;
  readonly label: string;
  run: (() => void) | undefined;
}

/** The end of a stop of a process, unless that was prolonged. */
interface Resumption {
  readonly resumes: Process;
}

const epochMs = Date.UTC(2026, 0, 1);
/** Steps that are queued in Node's event loop at once: a round of the loop for each step would take ten times as long. */
const stepsAtOnce = 64;

/**
 * The event loop of all processes, on a virtual clock. A step is a callback and all microtasks that follow from it; timers,
 * immediates, arrivals of messages and starts of processes are steps. Between two steps no time passes but what the clock says.
 */
export class VirtualTime {
  /** The process whose step runs. */
  current = new Process("world");
  /** Time that a reading of the clock takes: on a slow machine a turn of the event loop reaches its time limits. */
  readMs = 0.001;
  /** Called after a step and its microtasks, with its process. */
  afterStep: (process: Process) => void = () => undefined;
  /** Called with the error that a step threw. */
  onThrown: (error: unknown, process: Process) => void = () => undefined;
  readonly trace: Trace;
  readonly #nextStep: (callback: () => void) => void;
  readonly #queue = new EventQueue<Step | Resumption>();
  /** Steps of processes that go on, before everything that is queued. */
  #resumed: Step[] = [];
  #now = 1000;

  /** @param nextStep - Node's own `setImmediate` */
  constructor(trace: Trace, nextStep: (callback: () => void) => void) {
    this.trace = trace;
    this.#nextStep = nextStep;
  }

  /** Monotonic, in ms. */
  get now(): number {
    return this.#now;
  }

  /** The monotonic clock as a program reads it. */
  read(): number {
    return (this.#now += this.readMs);
  }

  /** The wall clock of the running process. */
  wall(): number {
    return Math.floor(epochMs + this.read() + this.current.wallOffsetMs);
  }

  /** Schedules a step of a process; it is not run once the process is dead. */
  schedule(process: Process, delayMs: number, label: string, run: () => void): Step {
    return this.scheduleAt(process, this.#now + Math.max(0, delayMs), label, run);
  }

  /** The same at a time of the clock. Steps of the same time run in the order in which they were scheduled. */
  scheduleAt(process: Process, at: number, label: string, run: () => void): Step {
    const step = { process, label, run };
    this.#queue.add(at, step);
    return step;
  }

  /** Ends the stop of a process. */
  resume(process: Process): void {
    process.heldUntil = 0;
    if (process.held.length > 0) this.#queue.add(this.#now, { resumes: process });
  }

  /** Runs steps until `isOver`, which is asked after each step. @returns false when time ran out before */
  runUntil(isOver: () => boolean, untilMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isEnded = false;
      let last: Process | undefined;
      const one = (): void => {
        if (isEnded) return;
        try {
          if (last?.isAlive) this.afterStep(last);
          last = undefined;
          const ends = isOver();
          if (ends || !(last = this.#step(untilMs))) {
            isEnded = true;
            resolve(ends);
          }
        } catch (error) {
          isEnded = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const some = (): void => {
        one();
        if (isEnded) return;
        for (let i = 1; i < stepsAtOnce; i++) this.#nextStep(one);
        this.#nextStep(some);
      };
      this.#nextStep(some);
    });
  }

  /** Runs the next step. @returns its process; undefined when there is none before `untilMs` */
  #step(untilMs: number): Process | undefined {
    for (;;) {
      const step = this.#resumed.shift() ?? this.#nextQueued(untilMs);
      if (!step) return undefined;
      const { process, label, run } = step;
      if (!run || !process.isAlive) continue;
      this.current = process;
      this.trace.step(this.#now, process.name, label);
      step.run = undefined;
      try {
        run();
      } catch (error) {
        this.onThrown(error, process);
      }
      return process;
    }
  }
  /** The next step of a process that is not stopped, at whose time it is then. */
  #nextQueued(untilMs: number): Step | undefined {
    for (;;) {
      if (this.#queue.nextAt > untilMs) {
        if (untilMs < Infinity) this.#now = Math.max(this.#now, untilMs);
        return undefined;
      }
      const entry = this.#queue.take();
      if (!entry) return undefined;
      const now = Math.max(this.#now, entry.at);
      const { value } = entry;
      const process = "resumes" in value ? value.resumes : value.process;
      if (process.heldUntil > now || (process.held.length > 0 && !("resumes" in value))) {
        if ("resumes" in value || process.held.push(value) === 1)
          this.#queue.add(Math.max(process.heldUntil, now), { resumes: process });
        continue;
      }
      this.#now = now;
      if (!("resumes" in value)) return value;
      this.#resumed = process.held;
      process.held = [];
      const first = this.#resumed.shift();
      if (first) return first;
    }
  }
}
