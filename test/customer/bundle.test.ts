import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleKernel } from "../../customer/kernel/bundle.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "manyhands-bundle-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string | Uint8Array): Promise<URL> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
  return pathToFileURL(path);
}

async function runBundle(url: URL, input: unknown): Promise<unknown> {
  const { source: text } = await bundleKernel(url);
  const module = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text)}`)) as {
    default: (input: unknown) => unknown;
  };
  return module.default(input);
}

describe("a kernel module", () => {
  it("is one module without its types, with what it imports: TypeScript, JSON, packages, WASM", async () => {
    await file("node_modules/double/package.json", '{"name":"double","main":"main.js"}');
    await file("node_modules/double/main.js", "module.exports = (x) => 2 * x;");
    await file("lib/offset.ts", "export const offset: number = 1;");
    await file("table.json", '{"scale": 10}');
    await file("empty.wasm", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const url = await file(
      "all.ts",
      `import double from "double";
       import { offset } from "./lib/offset.ts";
       import table from "./table.json" with { type: "json" };
       import wasm from "./empty.wasm";
       export default async (x: number): Promise<number> => {
         const module = await WebAssembly.compile(wasm as Uint8Array);
         return double(x) * table.scale + offset + WebAssembly.Module.exports(module).length;
       };`,
    );
    expect(await runBundle(url, 2)).toBe(41);
    expect((await bundleKernel(url)).source).not.toMatch(/^import /m);
  });

  it("is the same text wherever the program was started, so that a key finds its job again", async () => {
    await file("lib/named.ts", "export const one = 1;");
    const url = await file("stable.ts", 'import { one } from "./lib/named.ts"; export default () => one;');
    const { source: text } = await bundleKernel(url);
    expect(text).not.toContain(folder);
    await utimes(url, new Date(), new Date(Date.now() + 5000));
    expect((await bundleKernel(url)).source).toBe(text);
  });

  it("is bundled again when a file it imports has changed", async () => {
    await file("changing.ts", "export const answer = 1;");
    const url = await file(
      "uses-changing.ts",
      'import { answer } from "./changing.ts"; export default () => answer;',
    );
    expect(await runBundle(url, 0)).toBe(1);
    const changed = await file("changing.ts", "export const answer = 2;");
    await utimes(changed, new Date(), new Date(Date.now() + 5000));
    expect(await runBundle(url, 0)).toBe(2);
  });

  it("is refused when it, or what it imports, imports a module of Node", async () => {
    await file("reads.ts", 'import { readFileSync } from "node:fs"; export const read = readFileSync;');
    const url = await file(
      "indirect.ts",
      'import { read } from "./reads.ts"; export default (x: string) => read(x);',
    );
    await expect(bundleKernel(url)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/reads\.ts imports "node:fs", a module of Node/) as string,
    });
  });

  it("may have a branch for Node that it never takes", async () => {
    const url = await file(
      "both-worlds.ts",
      'export default async (x: number) => (x < 0 ? (await import("node:fs")).constants.R_OK : x);',
    );
    expect(await runBundle(url, 3)).toBe(3);
    await expect(runBundle(url, -1)).rejects.toThrow(/node:fs is a module of Node/);
  });

  it.each([
    ["without a default export", "export const kernel = (x: number) => x;", /has no default export/],
    [
      "with an import that is not there",
      'import x from "not-installed"; export default () => x;',
      /not-installed/,
    ],
    ["with a syntax error", "export default (x => ;", /cannot be bundled/],
  ])("is refused %s", async (name, text, reason) => {
    await expect(bundleKernel(await file(`${name.replaceAll(" ", "-")}.ts`, text))).rejects.toThrow(reason);
  });

  it("is refused when there is no such file", async () => {
    await expect(bundleKernel(pathToFileURL(join(folder, "none.ts")))).rejects.toThrow(
      /There is no kernel module/,
    );
  });
});
