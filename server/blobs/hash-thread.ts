import { Worker } from "node:worker_threads";
import { limits } from "../../shared/limits.ts";
import { PlatformError } from "../../shared/errors.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import type { HashReply, HashRequest } from "./hash-entry.ts";

interface Waiting {
  readonly resolve: (reply: HashReply) => void;
  readonly reject: (reason: PlatformError) => void;
}

/** Hashes files in a thread, which is started by the first file and keeps no program running. */
export class HashThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 1;

  hash(
    paths: Pick<HashRequest, "path" | "digestsPath">,
    bytesPerSecond: number = Number.MAX_SAFE_INTEGER,
  ): Promise<HashReply> {
    const worker = (this.#worker ??= this.#start());
    const id = this.#next++;
    const request: HashRequest = { id, ...paths, chunkBytes: limits.chunkBytes, bytesPerSecond };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(moduleBeside(import.meta.url, "hash-entry"));
    worker.unref();
    worker.on("message", (reply: HashReply) => {
      this.#waiting.get(reply.id)?.resolve(reply);
      this.#waiting.delete(reply.id);
      if (this.#waiting.size === 0) worker.unref();
    });
    let cause: unknown;
    worker.on("error", (error) => (cause = error));
    worker.on("exit", () => {
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values())
        reject(new PlatformError("SHUTTING_DOWN", "The thread that reads blobs ended.", cause));
      this.#waiting.clear();
    });
    return worker;
  }
}
