import { describe } from "vitest";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { hostileVectors, kernelVectors } from "../contract/kernel-vectors.ts";
import { runVector } from "../contract/run-vector.ts";
import { sandboxContract } from "../contract/sandbox.ts";

const sandboxes = createProcessSandboxes();

describe("process sandbox", () => {
  sandboxContract(kernelVectors, (vector) => runVector(sandboxes, vector));
});

describe("process sandbox against hostile kernels", () => {
  sandboxContract(hostileVectors, (vector) => runVector(sandboxes, vector));
});
