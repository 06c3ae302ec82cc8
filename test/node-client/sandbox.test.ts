import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { hostileVectors, kernelVectors } from "../contract/kernel-vectors.ts";
import { runVector } from "../contract/run-vector.ts";
import { sandboxContract } from "../contract/sandbox.ts";
import { hostileNodeVectors } from "./hostile-node-vectors.ts";

const sandboxes = createProcessSandboxes();

describe("process sandbox", () => {
  sandboxContract(kernelVectors, (vector) => runVector(sandboxes, vector));
});

describe("process sandbox against hostile kernels", () => {
  /** Answers everything, so that an attempt that gets through is one that reached something. */
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
    // What a tampered message would leave in this process.
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(globalThis).not.toHaveProperty("pwned");
  });

  sandboxContract([...hostileVectors, ...hostileNodeVectors], (vector) =>
    runVector(sandboxes, typeof vector.input === "string" ? { ...vector, input: origin } : vector),
  );
});
