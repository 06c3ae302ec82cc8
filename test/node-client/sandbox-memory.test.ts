import { ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { queryObjects } from "node:v8";
import { describe, expect, it, onTestFinished } from "vitest";
import { FrameReader, frameEndpoint, largeBytes, type Frame } from "../../node-client/sandbox/frames.ts";
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

/** Bytes of which no two neighbouring pieces are alike. */
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

describe("frames between a client and a sandbox process", () => {
  const wire = (bytes: Uint8Array) => ({
    id: "1",
    type: "APPLY",
    path: ["report"],
    argumentList: [{ type: "RAW", value: { finished: { indexes: [0], bytes } } }],
  });

  it("[MEM-3] none is larger than a piece, and the message is whole again behind them", () => {
    const frames: Frame[] = [];
    const message = wire(numbered(2 * largeBytes + 5));
    frameEndpoint("host", (frame) => void frames.push(frame)).endpoint.postMessage(message);
    const reader = new FrameReader();
    for (const [kind, content] of frames) {
      if (kind === "piece") expect(content.length).toBeLessThanOrEqual(largeBytes);
      if (kind === "piece" || kind === "large") reader.take(kind, content);
    }
    expect(frames.map(([kind]) => kind)).toEqual(["large", "piece", "piece", "piece", "host"]);
    const whole = reader.complete(frames.at(-1)![1]) as typeof message;
    expect(whole.argumentList[0]!.value.finished.indexes).toEqual([0]);
    expect(sha256Hex(whole.argumentList[0]!.value.finished.bytes)).toBe(
      sha256Hex(numbered(2 * largeBytes + 5)),
    );
    expect(reader.complete(wire(numbered(5)))).toEqual(wire(numbered(5)));
  });

  it("small messages are one frame, and not copied", () => {
    const frames: Frame[] = [];
    const message = wire(numbered(1000));
    frameEndpoint("host", (frame) => void frames.push(frame)).endpoint.postMessage(message);
    expect(frames).toEqual([["host", message]]);
    expect(frames[0]![1]).toBe(message);
  });

  it.each<[string, (reader: FrameReader) => void]>([
    ["a piece before its array", (reader) => reader.take("piece", numbered(1))],
    [
      "a piece that is too long",
      (reader) => {
        reader.take("large", largeBytes);
        reader.take("piece", numbered(largeBytes + 1));
      },
    ],
    [
      "an array before the last one is whole",
      (reader) => {
        reader.take("large", largeBytes);
        reader.take("large", largeBytes);
      },
    ],
    ["an array that is larger than the sandbox's memory", (reader) => reader.take("large", 9 * largeBytes)],
    ["no length", (reader) => reader.take("large", "1e9")],
    ["a length that is no number", (reader) => reader.take("large", NaN)],
  ])("[KERNEL-4] a client takes from a sandbox no %s", (_what, take) => {
    expect(() => take(new FrameReader(8 * largeBytes))).toThrow();
  });
});
