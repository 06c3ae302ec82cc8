import { freePort } from "./ports.ts";
import { dataDirectory, startService, type RunningService } from "./service.ts";

/**
 * NATS with JetStream on file. NATS writes every message to its file before it confirms, and flushes the file every two
 * minutes: work survives `kill -9`, not a power cut. (Flushing each message came with a later release than Debian's.)
 */
export async function startNats(): Promise<RunningService> {
  const [directory, port] = [await dataDirectory("nats"), await freePort()];
  return startService({
    program: "nats-server",
    args: ["--jetstream", "--addr", "127.0.0.1", "--port", `${port}`, "--store_dir", directory],
    port,
    directory,
    env: { NATS_URL: `nats://127.0.0.1:${port}` },
  });
}
