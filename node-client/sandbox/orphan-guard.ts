import { spawn, type ChildProcess } from "node:child_process";
import { orphanGuardArguments } from "./orphan-guard-script.ts";

let guard: ChildProcess | undefined;

/**
 * Has a process killed when this process is gone, on systems whose kernel does not do so (see `deathLauncher`). One small
 * process guards all sandboxes: it notices the end of its pipe and kills sandboxes that hang.
 * @param mark - text in the environment of the process: what it started is killed as well
 */
export function guardAgainstOrphaning(child: ChildProcess, mark?: string): void {
  const { pid } = child;
  if (pid === undefined) return;
  guard ??= startGuard();
  tell(mark === undefined ? `+${pid}` : `+${pid} ${mark}`);
  child.once("exit", () => tell(`-${pid}`));
}

function tell(line: string): void {
  guard?.stdin?.write(`${line}\n`);
}

function startGuard(): ChildProcess {
  const started = spawn(process.execPath, orphanGuardArguments(), {
    stdio: ["pipe", "ignore", "ignore"],
    windowsHide: true,
  });
  // The guard has a session of its own, so that a signal to the terminal's group does not end it. It must not keep this process
  // alive.
  started.unref();
  (started.stdin as unknown as { unref(): void }).unref();
  started.stdin?.on("error", () => undefined);
  started.once("exit", () => (guard = undefined));
  return started;
}
