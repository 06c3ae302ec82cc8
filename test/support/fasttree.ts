import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compilesWasi } from "./compile-wasi.ts";
import { root } from "./processes.ts";
import { skipped } from "./skipped.ts";

/** FastTree as a program of WASI. */
interface FastTree {
  /** Path of the program; undefined where it cannot be built. */
  readonly program: string | undefined;
  /** End of the names of tests that need the program. */
  readonly why: string;
}

/** Codes of curl: no proxy, no host, no connection, too slow. */
const unreachable = [5, 6, 7, 28];

/**
 * Builds FastTree from the source of Debian's package, for one test file.
 * @throws Error when the source is there and cannot be built
 */
export function buildFastTree(): FastTree {
  const without = (reason: string): FastTree => ({ program: undefined, why: skipped(true, reason) });
  if (!compilesWasi) return without("clang, lld or wasi-libc is missing");
  if (spawnSync("fasttree", ["-help"]).error) return without("Debian's fasttree is not installed");
  const directory = mkdtempSync(join(tmpdir(), "manyhands-fasttree-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, "fasttree.wasm");
  const script = join(root, "examples", "programs", "fasttree.sh");
  const { status, stderr } = spawnSync("sh", [script, program], { encoding: "utf8" });
  if (status === 0) return { program, why: "" };
  if (unreachable.includes(status ?? 0) || stderr.includes("Unable to locate package"))
    return without("Debian's source of FastTree cannot be reached");
  throw new Error(`FastTree cannot be built: ${stderr}`);
}
