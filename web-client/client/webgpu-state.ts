/** What this page found out last about WebGPU (client/webgpu.ts). */
export const webGpu: {
  /** Why kernels have none; `looking` while that is not known, undefined when they have it. */
  missing: "looking" | "insecure" | "missing" | "adapter" | "sandbox" | undefined;
} = { missing: "looking" };
