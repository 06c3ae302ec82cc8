import { ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { queryObjects } from "node:v8";
import { describe, expect, it, onTestFinished } from "vitest";
import { largeBytes } from "../../node-client/sandbox/frames.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import type { Sandbox, SandboxHost } from "../../shared/client/ports.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { until } from "../support/processes.ts";

const sandboxes = createProcessSandboxes();

interface Opened {
  readonly sandbox: Sandbox;
  /** Runs one task, and returns when it is over. */
  readonly run: (input: Value) => Promise<void>;
}

async function open(source: string, verbs: Partial<SandboxHost> = {}): Promise<Opened> {
  const host: SandboxHost = {
    data: () => Promise.reject(new Error("no data here")),
    put: () => Promise.reject(new Error("no room here")),
    report: () => undefined,
    ...verbs,
  };
  const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: 256 });
  const bytes = new TextEncoder().encode(source);
  const kernelSha256 = sha256Hex(bytes);
  await sandbox.load(kernelSha256, bytes);
  return {
    sandbox,
    run: (input) => {
      const tasks = packTasks([{ index: 0, attempt: 1, input: encodeValue(input) }]);
      return sandbox.run({ kernelSha256, seed: "0", tasks });
    },
  };
}

/** Bytes of which no two neighbouring parts are alike. */
function numbered(length: number): Uint8Array {
  return new Uint8Array(length).map((_, at) => at % 251);
}

describe("memory of a Node client", () => {
  it("[MEM-1] keeps nothing of sandboxes that ended", async () => {
    const living = (): number => queryObjects(ChildProcess, { format: "count" });
    const before = living();
    for (let count = 0; count < 6; count++) {
      const { sandbox, run } = await open("export default (x) => x");
      await run(count);
      sandbox.terminate();
      await sandbox.ended;
    }
    // Node may still have the last one.
    await until(() => living() <= before + 1);
  });

  it("[MEM-3] collects the bytes of a large ctx.put by itself", async () => {
    const program = join(import.meta.dirname, "putting-client.ts");
    const client = spawn(process.execPath, ["--no-memory-reducer", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void client.kill("SIGKILL"));
    const [line] = (await once(createInterface({ input: client.stdout }), "line")) as [string];
    expect(line).toBe("collected");
  });

  it("[MEM-3] large data, inputs and puts arrive as they were, each in a buffer of its own", async () => {
    const [blob, input] = [numbered(3 * largeBytes + 17), numbered(2 * largeBytes)];
    const stored: string[] = [];
    const { sandbox, run } = await open(
      `export default async ({ ref, input }, ctx) => {
        const data = await ctx.data(ref);
        if (data.buffer.byteLength === data.length) await Promise.all([ctx.put(input), ctx.put(data)]);
      }`,
      {
        data: async () => blob,
        put: async (bytes) => {
          stored.push(sha256Hex(bytes));
          return { sha256: sha256Hex(bytes), size: bytes.length };
        },
      },
    );
    onTestFinished(() => sandbox.terminate());
    await run({ ref: new DataReference(sha256Hex(blob), blob.length), input });
    expect(stored.sort()).toEqual([sha256Hex(blob), sha256Hex(input)].sort());
  });
});
