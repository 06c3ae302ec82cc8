import type { Sandbox, SandboxFactory, SandboxHost } from "../../shared/client/ports.ts";

/** A factory that starts some sandboxes ahead. */
export interface WarmSandboxes extends SandboxFactory {
  /** Ends the sandboxes that were never used. */
  end(): void;
}

/** A sandbox that was started ahead; its host comes later. */
interface Warm {
  readonly sandbox: Promise<Sandbox>;
  adopt(host: SandboxHost): void;
}

/**
 * Starts `count` sandboxes of `memoryMb` at once, which come up while the engine is loaded. The first calls of `create` for that size
 * get them.
 */
export function warmUp(factory: SandboxFactory, count: number, memoryMb: number): WarmSandboxes {
  const warm = Array.from({ length: count }, (_, slot) => start(factory, slot, memoryMb));
  return {
    ...(factory.idleMs !== undefined && { idleMs: factory.idleMs }),
    async create(host, options) {
      const ready = options.memoryMb === memoryMb ? warm.shift() : undefined;
      if (!ready) return factory.create(host, options);
      ready.adopt(host);
      return ready.sandbox;
    },
    end() {
      for (const { sandbox } of warm.splice(0))
        sandbox.then(
          (started) => started.terminate(),
          () => undefined,
        );
    },
  };
}

function start(factory: SandboxFactory, slot: number, memoryMb: number): Warm {
  const owner = Promise.withResolvers<SandboxHost>();
  // A sandbox without a kernel makes no calls, so no call waits for the host.
  const host: SandboxHost = {
    data: async (name, range) => (await owner.promise).data(name, range),
    put: async (bytes) => (await owner.promise).put(bytes),
    report: (report) => adopted?.report(report),
  };
  let adopted: SandboxHost | undefined;
  const sandbox = factory.create(host, { slot, memoryMb });
  sandbox.catch(() => undefined);
  return {
    sandbox,
    adopt(given) {
      adopted = given;
      owner.resolve(given);
    },
  };
}
