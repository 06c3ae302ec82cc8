import type { Browser } from "puppeteer";

/** Flags with which Chromium has WebGPU without a graphics processor: SwiftShader, which computes on the processor. */
export const softwareGraphics = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
] as const;

/** Ends the graphics process of a browser, so that all devices are lost. Chromium has no graphics after a few of these. */
export async function crashGraphics(browser: Browser): Promise<void> {
  const session = await browser.target().createCDPSession();
  await session.send("Browser.crashGpuProcess" as never).catch(() => undefined);
  await session.detach();
}

/** A kernel that multiplies the numbers of its input by a factor on the graphics processor. */
export const multiplies = `
  const code = \`
    @group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
    override factor: f32;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&numbers)) { numbers[id.x] *= factor; }
    }\`;
  let opening;
  const open = async () => {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) throw new Error("no adapter");
    return adapter.requestDevice();
  };
  export const multiply = async (numbers, factor) => {
    const device = await (opening ??= open());
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const size = numbers.byteLength;
    const buffer = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    const result = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
    device.queue.writeBuffer(buffer, 0, numbers);
    const compute = { module: device.createShaderModule({ code }), constants: { factor } };
    const pipeline = device.createComputePipeline({ layout: "auto", compute });
    const entries = [{ binding: 0, resource: { buffer } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(Math.ceil(numbers.length / 64));
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, result, 0, size);
    device.queue.submit([encoder.finish()]);
    await result.mapAsync(GPUMapMode.READ);
    const product = new Float32Array(result.getMappedRange().slice(0));
    buffer.destroy();
    result.destroy();
    return product;
  };
  export default ({ numbers, factor }) => multiply(Float32Array.from(numbers), factor);`;
