/** WebGPU of this page, as far as it is known (client/webgpu.ts). */
export const webGpu: {
  /** Reason why kernels have none; `looking` while that is not known, undefined when they have it. */
  missing: "looking" | "insecure" | "missing" | "adapter" | "sandbox" | undefined;
} = { missing: "looking" };
