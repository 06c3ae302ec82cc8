/** Timers as the platform has them; Node's are objects, a browser's are numbers. */
interface NativeTimers {
  readonly setTimeout: (callback: () => void, ms?: number) => unknown;
  readonly setInterval: (callback: () => void, ms?: number) => unknown;
  readonly clearTimeout: (timer: never) => void;
}

/** The timers of a kernel, and the switch that permits them. */
export interface KernelTimers {
  /** Globals that replace the platform's. */
  readonly globals: Readonly<Record<string, unknown>>;
  /** Permits timers, at the start of a task. */
  readonly begin: () => void;
  /** Clears all timers, and permits no others before the next `begin`. */
  readonly end: () => void;
}

/**
 * Makes timers that end with the task that set them (SPEC.md [KERNEL-6]). Kernels see numbers, as in a browser, because Node's timer
 * objects, which callbacks get as `this`, lead to other timers. `AbortSignal.timeout` is built on these timers; `Atomics.waitAsync`,
 * which is a timer too, is removed.
 */
export function makeKernelTimers(native: NativeTimers): KernelTimers {
  const live = new Map<number, unknown>();
  // The functions are bound, because a kernel may replace methods of prototypes.
  const lookUp = live.get.bind(live);
  const keep = live.set.bind(live);
  const forget = live.delete.bind(live);
  const forEach = live.forEach.bind(live);
  const stop = native.clearTimeout as (timer: unknown) => void;
  let last = 0;
  let count = 0;
  let open = true;
  const clear = (id: unknown): void => {
    const timer = lookUp(Number(id));
    if (timer === undefined) return;
    stop(timer);
    forget(Number(id));
    count--;
  };
  const timer = (set: NativeTimers["setTimeout"], once: boolean) => {
    return (callback: unknown, ms?: number, ...parts: unknown[]): number => {
      if (typeof callback !== "function") throw new TypeError("A timer expects a function.");
      const id = ++last;
      if (!open) return id;
      const fire = (): void => {
        if (once) clear(id);
        (callback as (...parts: unknown[]) => unknown)(...parts);
      };
      keep(id, set(fire, ms));
      count++;
      return id;
    };
  };
  const setTimeout = timer(native.setTimeout, true);
  Reflect.deleteProperty(Atomics, "waitAsync");
  Object.defineProperty(AbortSignal, "timeout", { value: timeoutSignal(setTimeout), writable: true });
  return {
    globals: {
      setTimeout,
      setInterval: timer(native.setInterval, false),
      clearTimeout: clear,
      clearInterval: clear,
    },
    begin: () => void (open = true),
    end: () => {
      open = false;
      if (count > 0) forEach((_timer, id) => clear(id));
    },
  };
}

function timeoutSignal(setTimeout: (callback: unknown, ms?: number) => number): (ms: number) => AbortSignal {
  return (ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException("The operation timed out.", "TimeoutError")), ms);
    return controller.signal;
  };
}
