import { describe, expect, it } from "vitest";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import type { SandboxReport } from "../../shared/client/ports.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import {
  localKernel,
  localValues,
  portableDigests,
  portableKernel,
  simdKernel,
  simdOutcomes,
} from "../contract/portable-values.ts";
import { outputOf } from "../support/client-runner-harness.ts";

const sandboxes = createProcessSandboxes();

describe("portable process sandbox", () => {
  it("[BITS-1] computes the functions of Math to the committed bits", async () => {
    expect(await outputIn(portableKernel)).toEqual(portableDigests);
  });

  it("[BITS-3] has neither randomness nor the machine's language and time zone", async () => {
    expect(await outputIn(localKernel)).toEqual(localValues);
  });

  it("[BITS-4] refuses relaxed SIMD, and not its bytes in a constant", async () => {
    expect(await outputIn(simdKernel)).toEqual(simdOutcomes);
  });
});

async function outputIn(source: string): Promise<Value> {
  const reports: SandboxReport[] = [];
  const sandbox = await sandboxes.create(
    {
      data: () => Promise.reject(new Error("no data here")),
      put: () => Promise.reject(new Error("no room here")),
      report: (report) => void reports.push(readReport(report)),
    },
    { slot: 0, memoryMb: 256 },
  );
  try {
    const bytes = new TextEncoder().encode(source);
    const kernelSha256 = sha256Hex(bytes);
    await sandbox.load(kernelSha256, bytes, true);
    const tasks = packTasks([{ index: 0, attempt: 1, input: encodeValue(null) }]);
    await sandbox.run({ kernelSha256, seed: "seed", tasks });
    return outputOf(reports.flatMap(({ finished = [] }) => finished)[0]);
  } finally {
    sandbox.terminate();
  }
}
