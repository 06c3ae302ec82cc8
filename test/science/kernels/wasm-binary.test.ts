import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileWasm, wasmFolders } from "../../../scripts/build-wasm.ts";

test.each(wasmFolders)(
  "the WebAssembly in %s is what its sources compile to (npm run build:wasm)",
  async (folder) => {
    const committed = await readFile(join(import.meta.dirname, "../../..", folder, "binary.ts"), "utf8");
    expect(committed).toBe(await compileWasm(folder));
  },
);
