import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openOutput, resultWriter, shownWriter } from "../../customer/cli/result-writer.ts";
import type { WrittenResults } from "../../customer/cli/transfer-view.ts";
import { temporaryDirectory } from "../support/processes.ts";

test("the progress of written results tells those expected, and the bytes of the file", async () => {
  const path = join(await temporaryDirectory(), "results.ndjson");
  const shown: WrittenResults[] = [];
  const view = { show: (progress: WrittenResults) => void shown.push(progress), stop: () => undefined };
  const writer = shownWriter(resultWriter(await openOutput(path)), 2, view);
  for (let index = 0; index < 3; index++)
    await writer.write({ seq: index + 1, index, output: "ä".repeat(index) });
  await writer.close();
  expect(shown.map(({ results, total }) => [results, total])).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
    [3, 3],
  ]);
  expect(shown.at(-1)!.bytes).toBe((await readFile(path)).length);
});
