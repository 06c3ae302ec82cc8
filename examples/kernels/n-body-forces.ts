/// <reference types="@webgpu/types" />

/** Accelerations and potentials of all stars. @param stars - four numbers a star: place and mass */
export type Forces = (stars: Float32Array) => Promise<Float32Array>;

const softening = 0.05;

/** Each group of threads loads as many stars at a time into memory that it shares. */
const groupSize = 64;

const code = `
  @group(0) @binding(0) var<storage, read> stars: array<vec4f>;
  @group(0) @binding(1) var<storage, read_write> pulls: array<vec4f>;
  var<workgroup> shared_stars: array<vec4f, ${groupSize}>;

  @compute @workgroup_size(${groupSize})
  fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
    let count = arrayLength(&stars);
    let own = stars[min(id.x, count - 1)];
    var pull = vec3f(0);
    var potential = own.w / ${softening};
    for (var first = 0u; first < count; first += ${groupSize}) {
      // A star of mass 0 fills the last group.
      shared_stars[thread] = select(vec4f(0), stars[min(first + thread, count - 1)], first + thread < count);
      workgroupBarrier();
      for (var i = 0u; i < ${groupSize}; i++) {
        let other = shared_stars[i];
        let way = other.xyz - own.xyz;
        let inverse = inverseSqrt(dot(way, way) + ${softening * softening});
        let part = other.w * inverse;
        potential -= part;
        pull += way * (part * inverse * inverse);
      }
      workgroupBarrier();
    }
    if (id.x < count) { pulls[id.x] = vec4f(pull, potential); }
  }`;

let opening: Promise<GPUDevice> | undefined;

/** Forces by the graphics processor, or in JavaScript: kernels of jobs that do not require WebGPU have no navigator. */
export async function createForces(stars: number): Promise<Forces> {
  if (typeof navigator === "undefined") return forcesInJavaScript;
  const device = await (opening ??= openDevice());
  const size = 16 * stars;
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const [places, pulls, result] = [STORAGE | COPY_DST, STORAGE | COPY_SRC, MAP_READ | COPY_DST].map((usage) =>
    device.createBuffer({ size, usage }),
  ) as [GPUBuffer, GPUBuffer, GPUBuffer];
  const compute = { module: device.createShaderModule({ code }) };
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [places, pulls].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return async (where) => {
    device.queue.writeBuffer(places, 0, where);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(stars / groupSize));
    pass.end();
    encoder.copyBufferToBuffer(pulls, 0, result, 0, size);
    device.queue.submit([encoder.finish()]);
    await result.mapAsync(GPUMapMode.READ);
    const found = new Float32Array(result.getMappedRange().slice(0));
    result.unmap();
    return found;
  };
}

async function openDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("There is no graphics processor.");
  return adapter.requestDevice();
}

// oxlint-disable-next-line typescript/require-await -- the other one waits for the graphics processor
async function forcesInJavaScript(stars: Float32Array): Promise<Float32Array> {
  const pulls = new Float32Array(stars.length);
  for (let a = 0; a < stars.length; a += 4) {
    let [x, y, z, potential] = [0, 0, 0, stars[a + 3]! / softening];
    for (let b = 0; b < stars.length; b += 4) {
      const dx = stars[b]! - stars[a]!;
      const dy = stars[b + 1]! - stars[a + 1]!;
      const dz = stars[b + 2]! - stars[a + 2]!;
      const inverse = 1 / Math.sqrt(dx * dx + dy * dy + dz * dz + softening * softening);
      const pull = stars[b + 3]! * inverse;
      potential -= pull;
      x += dx * pull * inverse * inverse;
      y += dy * pull * inverse * inverse;
      z += dz * pull * inverse * inverse;
    }
    pulls.set([x, y, z, potential], a);
  }
  return pulls;
}
