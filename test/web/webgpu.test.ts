import type { Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkVector } from "../contract/browser-vectors.ts";
import { escapes } from "../contract/escapes.ts";
import { hostileVectors } from "../contract/hostile-vectors.ts";
import { kernelVectors } from "../contract/kernel-vectors.ts";
import { callHarness, openHarness } from "../support/browser.ts";
import type { Tab } from "../support/browsers/browser.ts";
import { useHarnessSite } from "../support/harness-site.ts";
import { crashGraphics, multiplies, softwareGraphics } from "../support/webgpu.ts";

const site = useHarnessSite({ isolateSandboxes: true, args: softwareGraphics });
let page: Page;

beforeAll(async () => {
  page = await site.browser.newPage();
  await openHarness(page, site.server.port);
});
afterAll(() => page?.close());

const once = async (source: string, input: unknown = null): Promise<unknown> => {
  const outcome = await callHarness<{ output?: unknown }>(page, "once", source, input, false, true);
  return outcome.output ?? outcome;
};
/** Loads and begins a kernel, and returns how its sandbox ended. */
async function endOf(source: string, options: object = {}): Promise<{ kind: string; reason: string }> {
  const id = await callHarness<number>(page, "load", source, { webgpu: true, ...options });
  await callHarness(page, "begin", id, source);
  await page.waitForFunction(`window.harness.ended(${id}) !== null`);
  return callHarness(page, "ended", id);
}

const open = "const device = await (await navigator.gpu.requestAdapter()).requestDevice();";

describe("[GPU-1] a kernel with WebGPU", () => {
  it("computes on the graphics processor", async () => {
    expect(await once(multiplies, { numbers: [1, 2, 3.5], factor: 2 })).toEqual({ 0: 2, 1: 4, 2: 7 });
  });

  it("has the rest of what kernels have: modules, WebAssembly, data, randomness", async () => {
    const source = `export default async (_, ctx) => {
      const ref = await ctx.put(new Uint8Array(3));
      const bytes = await ctx.data(ref.slice(1, 3));
      const wasm = Uint8Array.of(0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11);
      return [bytes.length, (await WebAssembly.instantiate(wasm)).instance.exports.add(2, 40), typeof ctx.random()];
    }`;
    expect(await once(source)).toEqual([2, 42, "number"]);
  });

  it("is the only one with a navigator, which has nothing else", async () => {
    const source = `export default () => [
      typeof navigator, typeof GPUBufferUsage,
      ...typeof navigator === "undefined" ? [] : [Reflect.ownKeys(navigator), Object.getPrototypeOf(navigator) === Object.prototype,
        Object.isFrozen(navigator), Object.getOwnPropertyNames(globalThis).filter((name) => /^GPU.*(Canvas|External)/.test(name))],
    ]`;
    expect(await once(source)).toEqual(["object", "object", ["gpu"], true, true, []]);
    expect(await callHarness(page, "once", source)).toEqual({
      index: 0,
      output: ["undefined", "undefined"],
    });
  });
});

describe("[KERNEL-2] with a graphics processor there", () => {
  // The tab of the contract, of which these calls need this only.
  const tab = { evaluate: (expression: string) => page.evaluate(expression) } as Tab;

  it.each(hostileVectors.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
    const { port, requests } = site.server;
    const before = requests.length;
    await checkVector(tab, { ...vector, input: `http://localhost:${port}`, webgpu: true });
    expect(requests.slice(before)).toEqual([]);
  });

  it("every attempt to escape is blocked", async () => {
    const where = {
      url: `http://localhost:${site.server.port}/stolen`,
      ws: `ws://localhost:${site.server.port}/`,
    };
    const found = Object.entries((await once(escapes, where)) as Record<string, string>);
    expect(found.filter(([, how]) => !how.startsWith("blocked"))).toEqual([
      ["gpu", "ESCAPED: [object GPUAdapter]"],
    ]);
  });

  it.each(kernelVectors.map((vector) => [vector.name, vector] as const))("[BROWSER-1] %s", (_name, vector) =>
    checkVector(tab, { ...vector, webgpu: true }),
  );
});

it("[GPU-3] a device that is lost ends the sandbox with the reason; one that the kernel destroys does not", async () => {
  expect(
    await once(`export default async () => { ${open} device.destroy(); await device.lost; return 1; }`),
  ).toBe(1);
  const waits = `export default async (_, ctx) => { ${open} ctx.progress(0.5); await new Promise(() => {}); }`;
  const id = await callHarness<number>(page, "load", waits, { webgpu: true });
  await callHarness(page, "begin", id, waits);
  await page.waitForFunction(`JSON.stringify(window.harness.reports(${id})).includes('"fraction":0.5')`);
  await crashGraphics(site.browser);
  await page.waitForFunction(`window.harness.ended(${id}) !== null`);
  expect(await callHarness(page, "ended", id)).toMatchObject({
    kind: "crash",
    reason: /The graphics device was lost: /,
  });
});

describe("[GPU-5] memory of the graphics processor counts into memoryMb", () => {
  const mib = "2 ** 20";
  const makes = (count: number, size: string, then = ""): string => `export default async () => {
    ${open}
    const held = [];
    for (let i = 0; i < ${count}; i++) {
      const buffer = device.createBuffer({ size: ${size}, usage: GPUBufferUsage.STORAGE });
      ${then || "held.push(buffer);"}
      await device.queue.onSubmittedWorkDone();
    }
    return held.length;
  }`;

  it("one buffer or texture beyond it", async () => {
    const reason = /memoryMb/;
    expect(await endOf(makes(1, `100 * ${mib}`), { memoryMb: 64 })).toMatchObject({ kind: "memory", reason });
    const texture = `export default async () => {
      ${open}
      device.createTexture({ size: [4096, 4096], format: "rgba32float", usage: GPUTextureUsage.COPY_DST });
      await new Promise(() => {});
    }`;
    expect(await endOf(texture, { memoryMb: 64 })).toMatchObject({ kind: "memory", reason });
  });

  const many = (then: string): string =>
    makes(40, `16 * ${mib}`, `held.push(buffer); ${then} new Uint8Array(20 * ${mib});`);

  it("many that are held, and not many that were destroyed", async () => {
    expect(await endOf(many(""), { memoryMb: 64 })).toMatchObject({ kind: "memory", reason: /memoryMb/ });
    const source = many("buffer.destroy();");
    const id = await callHarness<number>(page, "load", source, { webgpu: true, memoryMb: 64 });
    expect(await callHarness(page, "run", id, source, [null])).toEqual([{ index: 0, output: 40 }]);
  });
});
