import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LivePlatform } from "../customer/live-platform.ts";
import { launcher } from "../support/processes.ts";

let platform: LivePlatform;
let folder: string;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
  folder = platform.directory;
  await mkdir(join(folder, "directory"));
  const files = {
    "twice.ts": "export default (x: number) => 2 * x;\n",
    "hang.ts": "export default () => { for (;;); };\n",
    "syntax.ts": "export const a = (\n",
    "empty.json": "",
    "object.json": "{}",
    "table.csv": "a,b\n1,2\n",
    "uncaught.ts": `import { connect } from "manyhands";
      const how = process.argv[2];
      if (how === "handled") process.on("uncaughtException", (error) => { console.log(error.code); process.exit(7); });
      if (how === "own") throw new TypeError("the program's own");
      await using hands = await connect();
      const kernel = (x: number): number => { if (x) throw new RangeError("no pixel"); return x; };
      if (how === "task") await hands.map(kernel, [0, 1], { maxAttempts: 1 });
      if (how === "iterated")
        for await (const { error } of hands.map(kernel, [1], { maxAttempts: 1 })) if (error) throw error;
      await hands.map(kernel, 5 as never);`,
    "parallel.ts": `import { Command } from ${JSON.stringify(import.meta.resolve("commander"))};
      import { parallelOption } from "manyhands";
      const program = new Command();
      const connect = parallelOption(program);
      await program.parseAsync();
      await using hands = await connect();
      console.log(await hands.map((x) => x + 1, [1, 2]));`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});
afterAll(() => platform.close());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function manyhands(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = ""): Promise<Ended> {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd: folder,
    env: { ...platform.environment, ...env },
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.on("error", () => undefined).end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

describe("[RUN-1] an error that a program of `manyhands run` does not catch", () => {
  const inside = /customer\/\w|shared\/\w|Node\.js v|\bcode:/;

  it.each([
    ["refusal", /^The inputs are a number;[^\n]*\n {4}at [^\n]*uncaught\.ts:\d+:\d+\nCorrect it[^\n]*\n$/],
    [
      "task",
      /^1 of 2 tasks failed\.\n {2}task 1 \(error, 1 attempt[^\n]*RangeError: no pixel\n {4}at [^]*requeue/,
    ],
    ["iterated", /^ {2}task 0 failed \(error, 1 attempt\): RangeError: no pixel\n {4}at /],
  ])("%s: what was wrong, the program's or the kernel's lines, what to do", async (how, said) => {
    const { code, err } = await manyhands(["run", "uncaught.ts", how]);
    expect(code).toBe(1);
    expect(err).toMatch(said);
    expect(err).not.toMatch(inside);
  });

  it("is Node's to tell when it is another error, or the program has a handler", async () => {
    const other = await manyhands(["run", "uncaught.ts", "own"]);
    expect(other.code).toBe(1);
    expect(other.err).toMatch(/TypeError: the program's own\n {4}at [^]*Node\.js v/);
    expect(await manyhands(["run", "uncaught.ts", "handled"])).toMatchObject({
      code: 7,
      out: "BAD_ARGUMENT\n",
    });
    const debugged = await manyhands(["run", "uncaught.ts", "refusal"], { MANYHANDS_DEBUG: "1" });
    expect(debugged.err).toMatch(inside);
  });
});

const noJob = "j_aaaaaaaaaaaaaaaa";
const noBlob = "a".repeat(64);

describe("[ERR-1] a refusal says what to do about the kind of thing that was asked for", () => {
  it.each([
    [["put", "nosuch"], /nosuch cannot be read[^]*Check the path/],
    [["put", "directory"], /directory cannot be read: it is a directory[^]*Check the path/],
    [["map", "nosuch.ts", "--range", "0:2"], /no kernel module[^]*Check the path/],
    [["map", "directory", "--range", "0:2"], /this is a directory[^]*Check the path/],
    [["map", "twice.ts", "--inputs", "nosuch"], /nosuch cannot be read[^]*Check the path/],
    [["map", "twice.ts", "--inputs", "directory"], /it is a directory[^]*Check the path/],
    [["map", "twice.ts", "--inputs", "empty.json"], /empty\.json is empty; expected \[input/],
    [["map", "twice.ts", "--inputs", "object.json"], /object\.json is not a JSON array/],
    [["map", "twice.ts", "--inputs", "table.csv"], /table\.csv is a table; expected inputs as JSON/],
    [["map", "twice.ts", "--range", "0:2", "--name", ""], /The options of the job: .* at name/],
    [["run", "/nosuch.ts"], /There is no program \/nosuch\.ts; expected the path[^]*Check the path/],
    [["run", "nosuch-program"], /nosuch-program cannot be started: it was not found/],
    [["results", noJob], /no job j_a[^]*`manyhands jobs`/],
    [["job", "x"], /"x" is no job id; expected one such as[^]*`manyhands jobs`/],
    [["clients", "--ban", "nobody"], /No client nobody[^]*`manyhands clients`/],
    [["bans", "--lift", "x"], /no ban on x[^]*`manyhands bans`/],
    [["token", "revoke", "x"], /no token x[^]*`manyhands token list`/],
    [["get", noBlob], /no blob a+ on the server[^]*`manyhands put FILE`/],
    [["precache", noBlob], /no blob a+ on the server[^]*`manyhands put FILE`/],
    [["jobs", "--token", "wrong"], /No valid token[^]*MANYHANDS_TOKEN/],
    [["jobs", "--token", "mh_c_\nx"], /The token holds a blank, a line break/],
    [["jobs", "--server", "ftp://x"], /"ftp:\/\/x" is no server address; expected http/],
    [["client", "--server", "http://"], /"http:\/\/" is no server address; expected http/],
    [["client", "--rendezvous", "directory"], /directory/],
  ])("%j", async (args, expected) => {
    const { code, err } = await manyhands(args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(expected) as string });
    // Neither a stack nor a hint for authors of requests would help here.
    expect(err).not.toMatch(/\n {4}at |openapi/);
  });

  it("as JSON too", async () => {
    const { err } = await manyhands(["put", "nosuch", "--json"]);
    expect(JSON.parse(err)).toMatchObject({ error: { code: "FILE_FAILED" } });
  });
});

describe("a failure that is not of a kernel's own code", () => {
  it("shows no stack of the SDK", async () => {
    const args = ["map", "hang.ts", "--range", "0:1", "--timeout", "200ms", "--max-attempts", "1"];
    const { code, out, err } = await manyhands(args);
    expect(code).toBe(1);
    expect(err).toContain("task 0 failed (timeout, 1 attempt): The task ran longer");
    expect(out + err).not.toMatch(/\bat |stack/);
  });
});

describe("a job without tasks", () => {
  it("is told of", async () => {
    const { code, err } = await manyhands(["map", "twice.ts", "--inputs", "-"]);
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("there was no input") as string });
  });
});

describe("variables that are set to nothing", () => {
  it("count as not set: a program of `manyhands run` finds its server with --parallel's option", async () => {
    const { code, out, err } = await manyhands(["run", "parallel.ts"]);
    expect({ code, out, err }).toEqual({ code: 0, out: "[ 2, 3 ]\n", err: "" });
  });

  it("in the SDK, the customer's commands, the client and the server", async () => {
    const empty = {
      MANYHANDS_PARALLEL: " ",
      MANYHANDS_SLOTS: "",
      MANYHANDS_PORT: "",
      MANYHANDS_TLS_CERT: "",
    };
    expect(await manyhands(["run", "parallel.ts"], empty)).toMatchObject({ code: 0, out: "[ 2, 3 ]\n" });
    expect(await manyhands(["client", "--server", "http://"], empty)).toMatchObject({
      err: expect.stringContaining("is no server address") as string,
    });
    const refused = await manyhands(["server", "--data", join(folder, "data")], empty);
    // The data directory has a server already. An empty variable for the port would have meant port 0.
    expect(refused.err).toContain("Another Manyhands server is using");
  });
});

describe("a token that a file ends with a line break", () => {
  it("is the token", async () => {
    const env = { MANYHANDS_TOKEN: `${platform.server.token}\r\n` };
    expect(await manyhands(["jobs", "--json"], env)).toMatchObject({ code: 0 });
  });
});

describe("a pipe", () => {
  it.each([
    ["map", "syntax.ts", "--range", "0:1"],
    ["map", "twice.ts", "--range", "0:3"],
    ["jobs"],
    ["--help"],
    ["server", "--data", "twice.ts"],
  ])("gets no colours: %j %j", async (...args) => {
    for (const env of [{}, { FORCE_COLOR: "1" }, { NO_COLOR: "1" }]) {
      const { out, err } = await manyhands(args, env);
      expect(out + err).toBe(stripVTControlCharacters(out + err));
    }
  });
});
