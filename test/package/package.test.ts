import { execFile, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { root, startNode, temporaryDirectory, until, type Running } from "../support/processes.ts";

/**
 * Nodes under which the package runs: that of the tests, and those of MANYHANDS_TEST_NODES, paths with a colon between them. `npm install
 * node@22` in a folder gives one.
 */
const nodes = [process.execPath, ...(process.env["MANYHANDS_TEST_NODES"] ?? "").split(":").filter(Boolean)];

/** The folder of a user, with the package in its node_modules. */
let folder: string;
/** Paths of the files in the tarball. */
let packed: string[];
let unreachable: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "manyhands-package-"));
  execFileSync(process.execPath, ["scripts/build-package.ts"], { cwd: root });
  // The pages are built before the tests; other tests serve them meanwhile, so they are not built anew.
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const output = execFileSync("npm", pack, { cwd: root, encoding: "utf8" });
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  const { status, stderr } = spawnSync("npm", [...install, `./${filename}`, "@noble/hashes@2"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status === 0) return;
  if (!/code (E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT)|ENOTCACHED)/.test(stderr))
    throw new Error(stderr);
  unreachable = "the registry of npm cannot be reached, from which the package's dependencies come";
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

function needsRegistry({ skip }: TestContext): void {
  if (unreachable !== undefined) skip(unreachable);
}

const kernelFile = `import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { KernelContext } from "manyhands/kernel";
export default async function digest({ text }: { text: string }, ctx: KernelContext): Promise<{ hex: string }> {
  ctx.progress(0.5);
  return { hex: bytesToHex(sha256(new TextEncoder().encode(text))) };
}
`;

/** Runs a program in the user's folder. @returns the program's output, warnings included */
async function runFile(node: string, name: string, source: string): Promise<string> {
  await writeFile(join(folder, name), source);
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
  const { stdout, stderr } = await promisify(execFile)(node, [name], { cwd: folder, env });
  return stdout + stderr;
}

it("[PKG-1] the tarball has the pages and no test, benchmark or source", () => {
  expect(packed).toContain("dist/web/index.html");
  expect(packed).toContain("bin/manyhands.js");
  expect(
    packed.filter((path) =>
      /^(test|bench|docs|examples|scripts)\/|\.tsx?$/.test(path.replace(/\.d\.ts$/, "")),
    ),
  ).toEqual([]);
});

describe.each(nodes)("[PKG-1] under %s", (node) => {
  it("[PKG-2] ES modules, on threads, with a kernel of the user's own that imports a package", async (context) => {
    needsRegistry(context);
    await writeFile(join(folder, "digest.ts"), kernelFile);
    const output = await runFile(
      node,
      "program.mjs",
      `import { connect, kernelModule } from "manyhands";
      const hands = await connect("thread:2");
      const digest = kernelModule(new URL("./digest.ts", import.meta.url));
      console.log(JSON.stringify([await hands.map((x) => x * x, [1, 2, 3]), await hands.map(digest, [{ text: "" }])]));
      await hands.close();`,
    );
    const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    expect(output).toBe(`${JSON.stringify([[1, 4, 9], [{ hex }]])}\n`);
  });

  it("[PKG-2] CommonJS", async (context) => {
    needsRegistry(context);
    const output = await runFile(
      node,
      "program.cjs",
      `const { connect } = require("manyhands");
      const { startServer } = require("manyhands/server");
      const { runClient } = require("manyhands/client");
      require("manyhands/kernel");
      connect("thread:1").then(async (hands) => {
        console.log((await hands.map((x) => x + 1, [1, 2])).join(), typeof startServer, typeof runClient);
        await hands.close();
      });`,
    );
    expect(output).toBe("2,3 function function\n");
  });

  it("server, client and map by the command; the pages", async (context) => {
    needsRegistry(context);
    const data = await temporaryDirectory();
    const server = manyhands(node, ["server", "--json", "--port", "0", "--data", data]);
    const { url, tokenFile } = JSON.parse(await firstLine(server)) as { url: string; tokenFile: string };
    expect(tokenFile).toContain(data);
    const program = await fetch(`${url}/client.mjs`).then((reply) => reply.text());
    for (const code of ["/manyhands.py", "/manyhands_eman2.py", "/wasi.js"])
      expect(await fetch(url + code).then((reply) => reply.text())).toMatch(
        /__version__|EMTaskCustomer|manyhandsWasi/,
      );
    expect(program).toBe(
      await readFile(join(folder, "node_modules/manyhands/dist/node/manyhands-client.mjs"), "utf8"),
    );
    for (const page of ["/", "/admin", "/sandbox.html"])
      expect(await fetch(url + page).then(async (reply) => [reply.status, await reply.text()])).toEqual([
        200,
        expect.stringContaining("<script"),
      ]);
    const client = manyhands(node, [
      "client",
      "--server",
      url,
      "--slots",
      "1",
      "--cache-dir",
      join(data, "cache"),
    ]);
    const map = ["map", "triple.mjs", "--range", "0:5", "--server", url, "--quiet"];
    await writeFile(join(folder, "triple.mjs"), "export default (x) => 3 * x;\n");
    const mapped = manyhands(node, map);
    expect({ code: await mapped.ended, log: mapped.log() }).toEqual({ code: 0, log: "" });
    const results = mapped
      .output()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { output: number });
    expect(results.map(({ output }) => output).toSorted((a, b) => a - b)).toEqual([0, 3, 6, 9, 12]);
    expect(await client.terminate()).toBe(0);
    expect(await server.terminate()).toBe(0);
    expect(client.log() + server.log()).not.toContain("Warning");
  });
});

it("[PKG-1] an older Node is told which to install", async ({ skip }) => {
  const old = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => {
    if (!existsSync(path)) return false;
    const [major = 0, minor = 0] = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" })
      .split(".")
      .map(Number);
    return major < 22 || (major === 22 && minor < 18) || major === 23;
  });
  if (old === undefined) return skip("this machine's own Node is none of those that are too old");
  const { status, stdout, stderr } = spawnSync(
    old,
    ["node_modules/manyhands/bin/manyhands.js", "--version"],
    {
      cwd: folder,
      encoding: "utf8",
    },
  );
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(
    /^manyhands needs Node 26, 24, or 22 from 22\.18 on; this is v\S+\. Install one of them .*\n$/,
  );
});

describe("[PKG-2] a strict TypeScript program", () => {
  const strict = {
    target: "es2022",
    lib: ["es2022", "dom"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    allowImportingTsExtensions: true,
  };

  async function check(name: string, source: string, types: string[]): Promise<string> {
    await writeFile(join(folder, "digest.ts"), kernelFile);
    await writeFile(join(folder, name), source);
    const compilerOptions = { ...strict, types, typeRoots: [join(root, "node_modules", "@types")] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [name] }));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    return spawnSync(process.execPath, [compiler, "-p", "."], { cwd: folder, encoding: "utf8" }).stdout;
  }

  it("types flow from kernels to outputs", async (context) => {
    needsRegistry(context);
    const source = `import { connect, kernelModule, type Job } from "manyhands";
      import type digest from "./digest.ts";
      const hands = await connect("thread:2");
      const squares: number[] = await hands.map((x: number) => x * x, [1, 2, 3]);
      const job: Job<{ hex: string }> = hands.map(kernelModule<typeof digest>(new URL("file:///digest.ts")), [{ text: "" }]);
      for await (const { output } of job) output?.hex satisfies string | undefined;
      // @ts-expect-error an input without text
      hands.map(kernelModule<typeof digest>(new URL("file:///digest.ts")), [{ txt: "" }]);
      // @ts-expect-error outputs are numbers
      const wrong: string[] = await hands.map((x: number) => x * x, [1]);
      export { squares, wrong };`;
    expect(await check("typed.ts", source, [])).toBe("");
  });

  it("embeds server and client", async (context) => {
    needsRegistry(context);
    const source = `import { startServer, type ServerOptions } from "manyhands/server";
      import { runClient, type RunClientOptions } from "manyhands/client";
      const options: Partial<ServerOptions> = { port: 0, volunteers: "off" };
      const server = await startServer(options);
      const client: RunClientOptions = { server: server.url, token: server.token, slots: 1 };
      (await runClient(client)) satisfies number;`;
    expect(await check("embedded.ts", source, ["node"])).toBe("");
  });
});

function manyhands(node: string, args: readonly string[]): Running {
  const env = {
    ...process.env,
    XDG_STATE_HOME: join(folder, "state"),
    XDG_CACHE_HOME: join(folder, "cache"),
  };
  const running = startNode([join("node_modules", ".bin", "manyhands"), ...args], { env, cwd: folder, node });
  onTestFinished(running.kill);
  return running;
}

async function firstLine(running: Running): Promise<string> {
  const ended = once(running.process, "exit").then(() => {
    throw new Error(running.log());
  });
  return Promise.race([until(() => /^(.*)\n/.exec(running.output())?.[1]), ended]);
}
