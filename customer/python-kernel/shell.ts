import type { KernelContext } from "../../shared/wire/kernel.ts";

/**
 * The surroundings of Pyodide, which runs as in a shell of a JavaScript engine. The modules of Pyodide import these names, so that in their
 * scope the names hide the globals of the sandbox.
 */

/** Files of Pyodide by name. */
export const files = new Map<string, Uint8Array>();

/** Start of the clock: 2000-01-01. */
const startMs = 946_684_800_000;
/** Each look at the clock advances it, so that a program that waits for a time gets there. */
const stepMs = 1;

let nowMs = startMs;
let random: () => number = fixedRandom();

/** Begins a task: its clock starts anew, and its randomness is the task's own. */
export function beginTask(ctx: Pick<KernelContext, "random">): void {
  nowMs = startMs;
  random = () => ctx.random();
}

/** Randomness while Python starts, before there is a task: Lehmer's generator. */
function fixedRandom(): () => number {
  let state = 1;
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
}

const HostDate = globalThis.Date;

/** Whether the clocks of the sandbox go: they throw in jobs that compute the same bits everywhere. */
const clocksGo = canCall(() => HostDate.now());

function canCall(clock: () => number): boolean {
  try {
    clock();
    return true;
  } catch {
    return false;
  }
}

const tick = (): number => (nowMs += stepMs);

const SteppedDate = new Proxy(HostDate, {
  get: (target, name): unknown => (name === "now" ? tick : Reflect.get(target, name)),
  apply: () => new HostDate(tick()).toISOString(),
  construct: (target, values: unknown[], newTarget: NewableFunction) =>
    Reflect.construct(target, values.length === 0 ? [tick()] : values, newTarget) as Date,
});

export const Date = clocksGo ? HostDate : SteppedDate;
export const performance = clocksGo
  ? (globalThis as unknown as { performance: { now(): number } }).performance
  : { now: (): number => tick() - startMs, timeOrigin: startMs };

export const Math = Object.create(globalThis.Math, {
  random: { value: () => random() },
}) as typeof globalThis.Math;

function missing(name: string): never {
  throw new Error(`There is no file ${name}.`);
}

// Pyodide takes `read` and `load` as the sign of a shell, and calls neither.
export const read = missing;
export const load = missing;

export function readbuffer(path: string): Uint8Array {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return files.get(name) ?? missing(name);
}

/** Pyodide asks the system's shell for random bytes in base64: `head -c<count> /dev/urandom | base64`. */
export const os = {
  system(_program: string, [, command = ""]: readonly string[]): string {
    const count = Number(/-c\s*(\d+)/.exec(command)?.[1] ?? 0);
    let bytes = "";
    for (let at = 0; at < count; at++) bytes += String.fromCharCode(globalThis.Math.floor(random() * 256));
    return btoa(bytes);
  },
};

export const process = undefined;
