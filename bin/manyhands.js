#!/usr/bin/env node
// Plain JavaScript, because this file runs under any Node that the machine has, and hands over to the pinned one.
import { spawn } from "node:child_process";
import module from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, homedir } from "node:os";
import { fileURLToPath } from "node:url";

// A clone runs its sources; the package has them compiled.
const isClone = existsSync(new URL("main.ts", import.meta.url));
const [modules, extension] = isClone ? ["../", ".ts"] : ["../dist/node/", ".js"];
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
// The packages of a clone bring this release; older ones strip no types, or warn of it.
const pinned = major < 26 ? findPinned() : undefined;

if (pinned) runPinned(pinned);
else if (major >= 24 || (major === 22 && minor >= 18)) {
  // Compiled code is kept, which saves 0.35 s of each start. The folder is the user's own, because its code is run, and every user
  // can write to Node's default.
  await keepCompiledCode(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "manyhands", "code"));
  endWithNpm((signal) => process.kill(process.pid, signal));
  await import(`${modules}bin/main${extension}`);
} else {
  console.error(
    `manyhands needs Node 26, 24, or 22 from 22.18 on; this is ${process.version}. Install one of them (https://nodejs.org/en/download).`,
  );
  process.exitCode = 2;
}

async function keepCompiledCode(directory) {
  const { makeDirectory } = await import(`${modules}system/make-directory${extension}`);
  try {
    makeDirectory(directory, 0o700);
    module.enableCompileCache(directory);
  } catch {
    // Without kept code every command only starts later.
  }
}

/**
 * Calls `end` with SIGTERM when npm, npx or the shell in between is gone that runs this command in the foreground: a signal ends
 * them, and they do not pass it on.
 */
function endWithNpm(end) {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = process.env;
  // Programs that are started from here are not npm's own.
  delete process.env.npm_lifecycle_event;
  if (!event || !/\bmanyhands\b/.test(script)) return;
  // A script may leave the command in the background on purpose.
  if (/(^|[^&])&([^&]|$)|\b(nohup|setsid|disown)\b/.test(script)) return;
  const started = npmProcesses();
  const watch = setInterval(() => {
    if (npmProcesses() === started) return;
    clearInterval(watch);
    end("SIGTERM");
  }, 500);
  watch.unref();
}

/** The parent of this process, and its parent where the first is the shell that npm runs a command in. */
function npmProcesses() {
  const parent = process.ppid;
  try {
    const [, name, above] = /\((.*)\) \S+ (\d+)/.exec(readFileSync(`/proc/${parent}/stat`, "utf8"));
    return /^(sh|dash|bash|ash|zsh)$/.test(name) ? `${parent} ${above}` : `${parent}`;
  } catch {
    // Systems without /proc: there npm ends its shell when npm is ended.
    return `${parent}`;
  }
}

/** The pinned Node of a clone's node_modules, or undefined. */
function findPinned() {
  const binary = process.platform === "win32" ? "node.exe" : "node";
  const path = fileURLToPath(new URL(`../node_modules/node/bin/${binary}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

/** Runs the same command under the pinned Node: signals go through, and the exit status is the child's. */
function runPinned(pinned) {
  const script = fileURLToPath(import.meta.url);
  let child;
  endWithNpm((signal) => child.kill(signal));
  child = spawn(pinned, [...process.execArgv, script, ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) {
    if (process.platform === "win32" && !["SIGINT", "SIGTERM"].includes(signal)) continue;
    process.on(signal, () => {
      // Ctrl-C reaches every process of the terminal's group, so a forwarded one would count twice.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`manyhands could not start ${pinned}: ${error.message}`);
    process.exitCode = 2;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1);
  });
}
