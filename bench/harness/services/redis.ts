import { freePort } from "./ports.ts";
import { dataDirectory, startService, type RunningService } from "./service.ts";

/** Redis with its defaults: snapshots now and then, no append-only file, so a crash loses the work since the last snapshot. */
export async function startRedis(): Promise<RunningService> {
  const [directory, port] = [await dataDirectory("redis"), await freePort()];
  return startService({
    program: "redis-server",
    args: ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory],
    port,
    directory,
    env: { REDIS_URL: `redis://127.0.0.1:${port}` },
  });
}
