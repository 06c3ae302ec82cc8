import type { Sandbox, SandboxFactory } from "../../shared/client/ports.ts";
import { createKernelRunner } from "../../shared/client/sandbox/runner.ts";
import type { Value } from "../../shared/wire/codec.ts";
import type { Kernel } from "../../shared/wire/kernel.ts";
import { kernelOf, truth, type SimulatedKernel } from "./kernels.ts";
import type { Process, VirtualTime } from "./virtual-time.ts";

/** A way of computing of a client. */
export interface Conduct {
  /** Factor of the run time of its tasks. */
  readonly slowness: number;
  /** The sandbox gives wrong outputs; all liars of a world give the same. */
  readonly lies: boolean;
  /** Takes tasks and computes none. */
  readonly hoards: boolean;
}

/** Chances of the faults of sandboxes. */
export interface SandboxRates {
  /** The sandbox cannot be made. */
  readonly none: number;
  /** The sandbox dies in a task. */
  readonly death: number;
  /** The task takes twenty times as long. */
  readonly straggler: number;
}

export const soundSandboxes: SandboxRates = { none: 0, death: 0, straggler: 0 };

interface Parts {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly process: Process;
  readonly conduct: Conduct;
  readonly rates: () => SandboxRates;
  /** Whether a sandbox may die now: the world bounds how often, because three deaths of a task are its end ([FAIL-4]). */
  readonly mayDie: () => boolean;
}

/** Sandboxes of a client: the real runner, with kernels that take virtual time. */
export function sandboxesOf({ time, random, process, conduct, rates, mayDie }: Parts): SandboxFactory {
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => time.schedule(process, ms, "kernel", () => resolve()));
  const happens = (chance: number, fault: string): boolean => {
    if (chance <= 0 || random() >= chance) return false;
    time.trace.fault(fault);
    return true;
  };

  const create: SandboxFactory["create"] = async (host) => {
    await sleep(5 + 20 * random());
    if (happens(rates().none, "sandbox not made")) throw new Error("no memory for a sandbox");
    const death = Promise.withResolvers<{ reason: string | undefined; kind: "crash" | "memory" }>();
    let isDead = false;
    const end = (reason: string | undefined): void => {
      isDead = true;
      death.resolve({ reason, kind: "crash" });
    };
    const never = new Promise<never>(() => undefined);

    const compute = async (
      kernel: SimulatedKernel,
      input: number,
      ctx: Parameters<Kernel>[1],
    ): Promise<Value> => {
      if (conduct.hoards) return never;
      const factor = happens(rates().straggler, "straggling task") ? 20 : 1;
      const totalMs = kernel.medianMs * conduct.slowness * factor * (0.3 + 1.4 * random());
      const steps = Math.max(1, kernel.steps);
      for (let step = typeof ctx.resume === "number" ? ctx.resume : 0; step < steps; step++) {
        await sleep(totalMs / steps);
        if (isDead) return never;
        if (mayDie() && happens(rates().death, "sandbox died")) {
          end("the sandbox was killed by the system");
          return never;
        }
        if (kernel.steps === 0) continue;
        ctx.progress((step + 1) / steps);
        ctx.checkpoint(step + 1);
      }
      if (conduct.lies) return { lie: input };
      const output = truth(kernel, input);
      // The kernel's own error.
      return output ?? kernel.given(input);
    };

    const runner = createKernelRunner({
      now: () => time.read(),
      timers: { begin: () => undefined, end: () => undefined },
      importModule: async (source) => {
        const kernel = kernelOf(source);
        return {
          default: (input: Value, ctx: Parameters<Kernel>[1]) => compute(kernel, input as number, ctx),
        };
      },
      host: {
        data: (name, range) => host.data(name, range),
        put: (bytes) => host.put(bytes),
        report: (report) =>
          time.schedule(process, 0.5, "report of a sandbox", () => !isDead && host.report(report)),
      },
    });
    const orDeath = <T>(call: Promise<T>): Promise<T> =>
      Promise.race([call, death.promise.then(() => Promise.reject(new Error("the sandbox is dead")))]);
    const sandbox: Sandbox = {
      load: (sha256, source) => orDeath(runner.load(sha256, source)),
      run: async (bundle) => {
        const rest = await orDeath(runner.run(bundle));
        // The answer takes the same way as the reports, behind them.
        await orDeath(sleep(0.5));
        if (rest) host.report(rest);
      },
      terminate: () => end(undefined),
      ended: death.promise,
    };
    return sandbox;
  };
  return { create };
}
