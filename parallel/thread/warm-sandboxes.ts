import type { Sandbox, SandboxFactory, SandboxHost } from "../../shared/client/ports.ts";

/** Sandboxes of which some are up already. */
export interface WarmSandboxes extends SandboxFactory {
  /** Ends those that nobody asked for. */
  end(): void;
}

/** A sandbox that was started before anybody needed it, and the host it will talk to. */
interface Warm {
  readonly sandbox: Promise<Sandbox>;
  adopt(host: SandboxHost): void;
}

/**
 * Starts `count` sandboxes of `memoryMb` at once, for whoever asks for ones of that size first: they come up while the
 * rest of the engine is loaded.
 */
export function warmUp(factory: SandboxFactory, count: number, memoryMb: number): WarmSandboxes {
  const warm = Array.from({ length: count }, (_, slot) => start(factory, slot, memoryMb));
  return {
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
  // Without a kernel in it a sandbox asks for nothing, so nothing waits here.
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
