import type { MemoryMeter } from "./memory-meter.ts";

/** Interfaces of WebGPU, of which kernels need the constants. Whatever needs a page (canvas, video) is left out. */
const interfaces = `
  GPU GPUAdapter GPUAdapterInfo GPUBindGroup GPUBindGroupLayout GPUBuffer GPUBufferUsage GPUColorWrite GPUCommandBuffer
  GPUCommandEncoder GPUCompilationInfo GPUCompilationMessage GPUComputePassEncoder GPUComputePipeline GPUDevice
  GPUDeviceLostInfo GPUError GPUInternalError GPUMapMode GPUOutOfMemoryError GPUPipelineError GPUPipelineLayout GPUQuerySet
  GPUQueue GPURenderBundle GPURenderBundleEncoder GPURenderPassEncoder GPURenderPipeline GPUSampler GPUShaderModule
  GPUShaderStage GPUSupportedFeatures GPUSupportedLimits GPUTexture GPUTextureUsage GPUTextureView GPUUncapturedErrorEvent
  GPUValidationError`
  .trim()
  .split(/\s+/);

/** Bytes of a texel whose format does not begin with channels of equal width: most of these have 4 or fewer. */
const usualTexelBytes = 4;

/**
 * Returns the globals of a kernel with WebGPU (SPEC.md [GPU-1]), to be called before the other globals are removed. Buffers and textures
 * count as memory of the sandbox ([GPU-5]); a device that is lost ends it ([GPU-3]).
 */
export function giveWebGpu(meter: MemoryMeter): Record<string, unknown> {
  const { gpu } = navigator as { gpu?: GPU };
  if (gpu) {
    countMemory(meter);
    endWhenLost();
  }
  const given = interfaces.filter((name) => name in globalThis);
  return {
    ...Object.fromEntries(given.map((name) => [name, Reflect.get(globalThis, name)])),
    navigator: Object.freeze({ gpu }),
  };
}

function countMemory(meter: MemoryMeter): void {
  const freed = new WeakMap<object, (() => void) | undefined>();
  const note = <Made extends object>(object: Made, bytes: number): Made => {
    freed.set(object, meter.count(object, bytes));
    return object;
  };
  const destroying = (destroy: (this: object) => void) =>
    function (this: object): void {
      freed.get(this)?.();
      freed.delete(this);
      Reflect.apply(destroy, this, []);
    };
  const device = GPUDevice.prototype;
  replace(
    device,
    "createBuffer",
    (create) =>
      function (this: GPUDevice, ...given) {
        const buffer = Reflect.apply(create, this, given);
        return note(buffer, buffer.size);
      },
  );
  replace(
    device,
    "createTexture",
    (create) =>
      function (this: GPUDevice, ...given) {
        const texture = Reflect.apply(create, this, given);
        return note(texture, bytesOf(texture));
      },
  );
  replace(GPUBuffer.prototype, "destroy", destroying);
  replace(GPUTexture.prototype, "destroy", destroying);
}

function bytesOf({ format, width, height, depthOrArrayLayers, sampleCount }: GPUTexture): number {
  const [, channels = "", bits] = /^([rgba]+)(8|16|32)/.exec(format) ?? [];
  const texelBytes = bits ? (channels.length * Number(bits)) / 8 : usualTexelBytes;
  return texelBytes * width * height * depthOrArrayLayers * sampleCount;
}

/** Lets the worker fail with an uncaught error once a device is lost that the kernel did not destroy: its module may keep the device. */
function endWhenLost(): void {
  const later = setTimeout;
  const watch = async (device: GPUDevice): Promise<void> => {
    const { reason, message } = await device.lost;
    if (reason === "destroyed") return;
    later(() => {
      throw new Error(`The graphics device was lost: ${message || "the browser does not say why"}`);
    });
  };
  replace(
    GPUAdapter.prototype,
    "requestDevice",
    (request) =>
      async function (this: GPUAdapter, ...given) {
        const device = await Reflect.apply(request, this, given);
        void watch(device);
        return device;
      },
  );
}

/** Replaces a method by one that is made of it. */
function replace<Holder extends object, Name extends keyof Holder>(
  holder: Holder,
  name: Name,
  make: (method: Holder[Name]) => Holder[Name],
): void {
  Object.defineProperty(holder, name, { value: make(holder[name]), writable: true, configurable: true });
}
