import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { launcher, startNode, temporaryDirectory } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";
import { makeWheel } from "../support/wheels.ts";

test("[PYTHON-9] manyhands runtime puts wheels into the server, lists them and takes them out", async () => {
  const server = await startTestServer();
  const folder = await temporaryDirectory();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const runtime = async (...args: string[]): Promise<[number | null, string]> => {
    const env = { ...process.env, MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token };
    const command = startNode([launcher, "runtime", ...args], { env });
    return [await command.ended, command.output() + command.log()];
  };
  const pure = await makeWheel(folder, "tiny_math-0.3-py3-none-any.whl", { "tiny_math/__init__.py": "" });
  const foreign = await makeWheel(folder, "numpy-2.4.6-cp314-cp314-manylinux_2_28_x86_64.whl", {
    "numpy.py": "",
  });
  await writeFile(join(folder, "broken-1-py3-none-any.whl"), "no archive");

  expect(await runtime("add", pure)).toEqual([
    0,
    expect.stringMatching(/tiny-math 0\.3 +tiny_math .*tiny_math-0\.3/),
  ]);
  expect(await runtime("add", foreign)).toEqual([2, expect.stringContaining("is for another Python")]);
  expect(await runtime("add", join(folder, "broken-1-py3-none-any.whl"))).toEqual([
    2,
    expect.stringContaining("cannot be read as a zip archive"),
  ]);
  expect(await runtime("add", "pyodide.tgz")).toEqual([2, expect.stringContaining("npm install pyodide")]);
  expect(await readdir(join(server.dataDirectory, "runtime"))).toEqual(["tiny_math-0.3-py3-none-any.whl"]);
  const [code, listed] = await runtime("list", "--json");
  expect([code, JSON.parse(listed)]).toMatchObject([0, [{ name: "tiny-math", modules: ["tiny_math"] }]]);
  expect((await runtime("remove", "tiny_math-0.3-py3-none-any.whl"))[0]).toBe(0);
  expect(await runtime("list")).toEqual([0, "The server has no packages for Python.\n"]);
  expect(await runtime("remove", "tiny_math-0.3-py3-none-any.whl")).toEqual([
    2,
    expect.stringContaining("There is no wheel tiny_math"),
  ]);
});
