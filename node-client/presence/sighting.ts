import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Sighting } from "./idle.ts";

const run = promisify(execFile);

/** Looks at this machine as it is now. */
export async function lookAround(): Promise<Sighting> {
  const [load, terminals, screen] = await Promise.all([readLoad(), terminalIdleMs(), screenIdleMs()]);
  const known = [terminals, screen].filter((ms) => ms !== undefined);
  return { load, inputIdleMs: known.length > 0 ? Math.min(...known) : undefined };
}

async function readLoad(): Promise<number | undefined> {
  const text = await readFile("/proc/loadavg", "utf8").catch(() => "");
  const load = Number.parseFloat(text);
  return Number.isNaN(load) ? undefined : load;
}

/**
 * Milliseconds since the last key on any terminal, consoles and SSH sessions. The system sets a terminal's access time when a person
 * types (to eight seconds), and its modification time when a program writes; `w` reads the same.
 */
async function terminalIdleMs(): Promise<number | undefined> {
  const consoles = (await readdir("/dev").catch(() => [])).filter((name) => /^tty[1-9]\d*$/.test(name));
  const sessions = (await readdir("/dev/pts").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const paths = [...consoles.map((name) => join("/dev", name)), ...sessions.map((n) => join("/dev/pts", n))];
  const times = await Promise.all(
    paths.map(async (path) => (await stat(path).catch(() => undefined))?.atimeMs ?? 0),
  );
  const last = Math.max(0, ...times);
  return last > 0 ? Math.max(0, Date.now() - last) : undefined;
}

/** Milliseconds since the last use of the X display, where `xprintidle` is installed. */
async function screenIdleMs(): Promise<number | undefined> {
  if (!process.env["DISPLAY"]) return undefined;
  try {
    const { stdout } = await run("xprintidle", [], { timeout: 2000 });
    const ms = Number(stdout.trim());
    return Number.isFinite(ms) ? ms : undefined;
  } catch {
    return undefined;
  }
}
