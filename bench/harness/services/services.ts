import type { ServiceName } from "../topic.ts";
import { installMissing, onPath } from "./debian.ts";
import { startNats } from "./nats.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import type { RunningService } from "./service.ts";

const starters: Partial<Record<ServiceName, () => Promise<RunningService>>> = {
  redis: startRedis,
  postgres: startPostgres,
  nats: startNats,
};

/** The services under way: started when they are first asked for, stopped together. */
export class Services {
  readonly #running = new Map<ServiceName, RunningService>();
  #stopped = false;

  /** Installs and starts what is missing; returns the environment that tells where it is. */
  async provide(names: readonly ServiceName[]): Promise<Record<string, string>> {
    installMissing(names);
    for (const name of names) {
      const start = starters[name];
      if (!start || this.#running.has(name)) continue;
      const service = await start();
      this.#running.set(name, service);
      if (this.#stopped) await service.stop();
    }
    const env = names.map((name) => this.#running.get(name)?.env ?? {});
    return Object.assign({}, ...env, names.includes("nginx") ? { NGINX: onPath("nginx") } : {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running.values()].map((service) => service.stop()));
    this.#running.clear();
  }
}
