import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

let guard: ChildProcess | undefined;

/**
 * Has a process killed when this one is gone, on systems where the kernel does not do it (see `deathLauncher`): one small
 * process for all sandboxes, which hears the end of its pipe and does what a hung sandbox cannot do for itself.
 */
export function guardAgainstOrphaning(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  guard ??= startGuard();
  tell(`+${pid}`);
  child.once("exit", () => tell(`-${pid}`));
}

function tell(line: string): void {
  guard?.stdin?.write(`${line}\n`);
}

function startGuard(): ChildProcess {
  const script = fileURLToPath(new URL("orphan-guard-process.ts", import.meta.url));
  const started = spawn(process.execPath, [script], {
    stdio: ["pipe", "ignore", "ignore"],
    windowsHide: true,
  });
  // Of its own session, so that a signal to the terminal's group leaves it to its work; and no reason to stay for this one.
  started.unref();
  (started.stdin as unknown as { unref(): void }).unref();
  started.stdin?.on("error", () => undefined);
  started.once("exit", () => (guard = undefined));
  return started;
}
