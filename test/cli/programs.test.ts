import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "../customer/live-platform.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";
import { compilesWasi, compileWasi } from "../support/compile-wasi.ts";
import { launcher, startNode } from "../support/processes.ts";

describe.skipIf(!compilesWasi)("manyhands map --wasi (clang, lld, wasi-libc)", () => {
  let platform: LivePlatform;
  let probe: string;
  beforeAll(async () => {
    platform = await LivePlatform.start();
    probe = compileWasi(join(import.meta.dirname, "../support/programs/probe.c"), platform.directory);
  });
  afterAll(() => platform.close());

  const manyhands = async (args: readonly string[]) => {
    const command = startNode([launcher, ...args], { cwd: platform.directory, env: platform.environment });
    return { code: await command.ended, out: command.output(), err: command.log() };
  };

  it("[WASI-1] gives the arguments behind -- to the program", async () => {
    const options = ["--range", "1:3", "--ordered", "--quiet", "--env", "UNIT=mm"];
    const { out, code } = await manyhands([
      "map",
      "--wasi",
      probe,
      ...options,
      "--",
      "echo",
      "-n",
      "{input}",
    ]);
    expect(code).toBe(0);
    const outputs = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { output: string }).output);
    expect(outputs).toEqual(["-n\n1\nUNIT=mm\n", "-n\n2\nUNIT=mm\n"]);
  });

  it("[WASI-2] takes files, standard input and data references, and writes files", async () => {
    await writeFile(join(platform.directory, "table.txt"), "table");
    await writeFile(join(platform.directory, "inputs.ndjson"), '"typed"\n');
    const options = ["--inputs", "inputs.ndjson", "--out", "results.ndjson", "--quiet"];
    const withFile = ["--file", "lib/table=table.txt", "--output", "bytes", "--", "cat", "lib/table"];
    expect((await manyhands(["map", "--wasi", probe, ...options, ...withFile])).code).toBe(0);
    const result = JSON.parse(await readFile(join(platform.directory, "results.ndjson"), "utf8")) as object;
    expect(result).toMatchObject({ output: { $bytes: Buffer.from("table").toString("base64") } });
    const piped = ["--inputs", "inputs.ndjson", "--quiet", "--stdin", "{input}", "--", "cat"];
    expect((await manyhands(["map", "--wasi", probe, ...piped])).out).toContain('"output":"typed"');
    const put = (await manyhands(["put", "table.txt"])).out;
    await writeFile(join(platform.directory, "references.ndjson"), put);
    const referring = ["--inputs", "references.ndjson", "--quiet", "--", "cat", "{input}"];
    expect((await manyhands(["map", "--wasi", probe, ...referring])).out).toContain('"output":"table"');
  });

  it("[WASI-4] shows exit code and standard error of a failure", async () => {
    const options = ["--range", "0:1", "--max-attempts", "1"];
    const { code, out, err } = await manyhands(["map", "--wasi", probe, ...options, "--", "fail", "3"]);
    expect(code).not.toBe(0);
    expect(out + err).toContain("exit code 3. Standard error:");
  });

  it("refuses options of programs without a program, and several kernels", async () => {
    expect((await manyhands(["map", "a.ts", "--stdin", "x", "--range", "0:1"])).err).toContain("--wasi");
    expect((await manyhands(["map", "a.ts", "b.ts", "--range", "0:1"])).err).toContain("one kernel module");
    expect((await manyhands(["map", "--range", "0:1"])).err).toContain("one kernel module");
  });
});

describe.skipIf(!isLinux)(`manyhands map --command${unlessLinux}`, () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await LivePlatform.start({ slots: 0 });
    const file = join(platform.directory, "commands.json");
    await writeFile(file, JSON.stringify({ sort: "/usr/bin/sort", sh: "/bin/sh" }));
    platform.startClient(1, ["--allow-commands", file]);
  });
  afterAll(() => platform.close());

  const map = async (...args: string[]) => {
    const command = startNode([launcher, "map", "--quiet", ...args], {
      cwd: platform.directory,
      env: platform.environment,
    });
    return { code: await command.ended, out: command.output(), err: command.log() };
  };

  it("[COMMAND-1] [COMMAND-3] takes the words of a command, with quotes, and those behind --", async () => {
    const words = `sh -c 'printf "%s|" "$@"' "a \\"b\\"" c\\ d {input}`;
    const { out, err } = await map("--command", words, "--range", "1:2", "--", "-e", "f g");
    expect(err).toBe("");
    expect(out).toContain(JSON.stringify("c d|1|-e|f g|"));
    await writeFile(join(platform.directory, "lines"), "b\na\n");
    const filed = ["--command", "sort list", "--file", "list=lines", "--range", "0:1"];
    expect((await map(...filed)).out).toContain(JSON.stringify("a\nb\n"));
  });

  it("[COMMAND-3] refuses what only a shell would read", async () => {
    for (const words of ["sort {input} | head", "sort > out", "sort 'open", "sort $HOME", "sort; id"]) {
      const { code, err } = await map("--command", words, "--range", "0:1");
      expect(err).toContain("no shell reads the command");
      expect(code).toBe(2);
    }
    expect((await map("--command", "sort", "--env", "A=b", "--range", "0:1")).err).toContain(
      "--env do not go",
    );
    for (const [told, ...others] of [
      ["--on belongs to a function in Python", "--command", "sort"],
      ["names no function of a Python file", "--combine", "a.ts"],
    ] as const) {
      const { code, err } = await map(...others, "--on", "python3", "--range", "0:1");
      expect(err).toContain(told);
      expect(code).toBe(2);
    }
    expect((await map("--command", "so/rt", "--range", "0:1")).err).toContain("name of a command");
  });
});
