import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished } from "vitest";
import { root } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";

/** Folder of the Python module. */
export const pythonFolder = join(root, "python");

/** Debian's Python before any other of the machine; undefined without one of 3.9 or later. */
export const python = [process.env["MANYHANDS_PYTHON"], "/usr/bin/python3", "python3"].find(
  (command) => command !== undefined && isPython(command),
);

/** Words for the titles of tests that are skipped; empty where Python is. */
export const whySkipped = skipped(python === undefined, "there is no python3 of 3.9 or later");

function isPython(command: string): boolean {
  const version = "import sys; raise SystemExit(sys.version_info < (3, 9))";
  return spawnSync(command, ["-c", version]).status === 0;
}

/** Whether this Python has the packages that an installation without a network needs. */
export const canInstall =
  python !== undefined && spawnSync(python, ["-c", "import ensurepip, setuptools, wheel"]).status === 0;

/** This Python for a file of allowed commands: its program, and the directories that it reads. */
export function allowedPython(): { path: string; reads: string[] } {
  const where = "import sys; print(sys.executable); print(sys.prefix)";
  const { stdout } = spawnSync(python!, ["-c", where], { encoding: "utf8" });
  const [path = "", prefix = ""] = stdout.trim().split("\n");
  return { path, reads: [prefix, dirname(path)] };
}

/**
 * Runs a Python program with the module on its path, in a test or before all of them.
 * @param folders - of further modules
 * @returns the value that it prints as JSON
 */
export async function printedBy(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { folders = [], ...options }: { folders?: readonly string[]; cwd?: string } = {},
): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(python!, args, {
    ...options,
    env: withModules(env, [pythonFolder, ...folders]),
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

function withModules(env: NodeJS.ProcessEnv, folders: readonly string[]): NodeJS.ProcessEnv {
  return { ...env, PYTHONPATH: folders.join(delimiter), PYTHONDONTWRITEBYTECODE: "1" };
}

/** A Python program with the module on its path, killed at the end of the test. */
export class PythonProgram {
  readonly process: ChildProcess;
  output = "";
  log = "";

  /** @param given - another folder of modules, another Python */
  constructor(
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    { folder = pythonFolder, command = python! }: { folder?: string; command?: string } = {},
  ) {
    const variables = withModules(env, [folder]);
    this.process = spawn(command, args, { cwd: folder, env: variables, stdio: ["ignore", "pipe", "pipe"] });
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  /** The exit code, when all output was read. */
  async ended(): Promise<number | null> {
    const [code] = (await once(this.process, "close")) as [number | null];
    return code;
  }

  /** Expects that the program ends well. @returns its standard output */
  async ends(): Promise<string> {
    expect(await this.ended(), this.log).toBe(0);
    return this.output;
  }
}
