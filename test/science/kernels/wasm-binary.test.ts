import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { compileWasm } from "../../../scripts/build-wasm.ts";

test("the WebAssembly in the repository is what its sources compile to (npm run build:wasm)", async () => {
  const committed = await readFile(
    new URL("../../../science/kernels/wasm/binary.ts", import.meta.url),
    "utf8",
  );
  expect(committed).toBe(await compileWasm());
});
