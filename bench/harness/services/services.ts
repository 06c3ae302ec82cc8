import type { ServiceName } from "../topic.ts";
import { installMissing, onPath } from "./debian.ts";
import { startNats } from "./nats.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { removeDirectories, type RunningService } from "./service.ts";

const starters: Partial<Record<ServiceName, () => Promise<RunningService>>> = {
  redis: startRedis,
  postgres: startPostgres,
  nats: startNats,
};

/** Services of the topics: started when a run first needs them, stopped together. */
export class Services {
  readonly #running = new Map<ServiceName, RunningService>();

  /** Installs and starts missing services. @returns the environment that tells their addresses */
  async provide(names: readonly ServiceName[]): Promise<Record<string, string>> {
    installMissing(names);
    for (const name of names) {
      const start = starters[name];
      if (!start || this.#running.has(name)) continue;
      this.#running.set(name, await start());
    }
    const env = names.map((name) => this.#running.get(name)?.env ?? {});
    return Object.assign({}, ...env, names.includes("nginx") ? { NGINX: onPath("nginx") } : {});
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((service) => service.stop()));
    this.#running.clear();
    await removeDirectories();
  }
}
