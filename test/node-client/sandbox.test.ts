import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { openDiskCache } from "../../node-client/disk-cache.ts";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { origins, readsFrom } from "../contract/cached-reads.ts";
import { dataVectors } from "../contract/data-vectors.ts";
import { hostileVectors } from "../contract/hostile-vectors.ts";
import { kernelVectors } from "../contract/kernel-vectors.ts";
import { runVector } from "../contract/run-vector.ts";
import { sandboxContract } from "../contract/sandbox.ts";
import { hostileNodeVectors } from "./hostile-node-vectors.ts";
import { verifyingVectors } from "./verifying-vectors.ts";

const directory = await mkdtemp(join(tmpdir(), "manyhands-vectors-"));
const cache = await openDiskCache({ directory, log: () => undefined });
afterAll(async () => {
  cache.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});
/** As a client makes them: each may read a directory of its own. */
const sandboxes = createProcessSandboxes({ cache });

describe("process sandbox", () => {
  sandboxContract([...kernelVectors, ...verifyingVectors], (vector) => runVector(sandboxes, vector));
});

describe.each(origins)("process sandbox with blobs from %s", (origin) => {
  sandboxContract(dataVectors, async (vector) => {
    const own = await mkdtemp(join(directory, "own-"));
    const cache = await openDiskCache({ directory: own, log: () => undefined });
    // Bytes as they come from a socket: in a class of Node, in the middle of a buffer.
    const blobs = (vector.blobs ?? []).map((bytes) => Buffer.concat([Buffer.alloc(3), bytes]).subarray(3));
    const hash = async (bytes: Uint8Array): Promise<Sha256> => sha256Hex(bytes);
    try {
      const reads = await readsFrom(origin, cache, blobs, hash);
      return await runVector(createProcessSandboxes({ cache }), vector, reads);
    } finally {
      cache.close();
    }
  });
});

describe("process sandbox against hostile kernels", () => {
  /** Answers every request, so that each attempt that gets through reaches a server. */
  const server = createServer((_request, response) => response.end("export default 1"));
  let connections = 0;
  server.on("connection", () => connections++);
  let origin = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());
  afterEach(() => {
    expect(connections).toBe(0);
    // Traces that a tampered message would leave in this process.
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(globalThis).not.toHaveProperty("pwned");
  });

  sandboxContract([...hostileVectors, ...hostileNodeVectors], (vector) =>
    runVector(sandboxes, typeof vector.input === "string" ? { ...vector, input: origin } : vector),
  );
});
