import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { isAlive } from "../../node-client/is-alive.ts";
import { readClients } from "../support/jobs.ts";
import { launcher, root, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

/** Starts a program and collects its output. */
function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env } });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, text: () => text };
}

describe("[WAIT-5] a command that npm runs in the foreground", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)("a client drains when npx is ended by %s", async (signal) => {
    const server = await startServerProcess(await temporaryDirectory());
    const where = ["--server", server.url, "--cache-dir", await temporaryDirectory()];
    const args = ["exec", "--", "manyhands", "client", "--slots", "1", ...where];
    const { child, text } = start("npm", args, { MANYHANDS_TOKEN: server.token });
    await until(async () => (await readClients(server)).some(({ connected }) => connected));
    child.kill(signal);
    await until(() => text().includes("Told to end"));
    await until(async () => (await readClients(server)).every(({ connected }) => !connected));
  });

  it("a server stops when npm is ended", async () => {
    const where = ["--port", "0", "--data", await temporaryDirectory(), "--json"];
    const { child, text } = start("npm", ["start", "--", ...where], {
      XDG_STATE_HOME: await temporaryDirectory(),
    });
    await until(() => text().includes('"adminUrl"'));
    child.kill("SIGTERM");
    await until(() => text().includes("everything accepted is on disk"));
  });

  it("stays when a script left it behind, or npm is further up", async () => {
    const behind = await startInShell("manyhands client &");
    const below = await startInShell("node experiment.js");
    for (const { shell } of [behind, below]) {
      shell.stdin.end();
      await once(shell, "exit");
    }
    // The control starts to watch for its npm after the others lost theirs, so that they would notice first.
    const control = await startInShell("manyhands client");
    const ended = once(control.shell, "close");
    control.shell.stdin.end();
    await ended;
    expect(control.text()).toContain("Told to end");
    for (const { pid, text } of [behind, below]) {
      expect(text()).not.toContain("Told to end");
      expect(isAlive(pid)).toBe(true);
    }
  });
});

/**
 * Starts a client in the background of a shell, as if npm ran `script`. The shell ends with its input, and is closed when its client
 * has ended, too.
 */
async function startInShell(script: string) {
  const directory = await temporaryDirectory();
  const client = `'${process.execPath}' '${launcher}' client --server http://127.0.0.1:9 --cache-dir '${directory}'`;
  const env = { npm_lifecycle_event: "start", npm_lifecycle_script: script };
  const { child: shell, text } = start("sh", ["-c", `${client} & echo $!; read line`], env);
  const [pid] = await until(() => /^\d+$/m.exec(text()));
  onTestFinished(() => {
    if (isAlive(Number(pid))) process.kill(Number(pid), "SIGKILL");
  });
  await until(() => text().includes("Joining"));
  return { shell, pid: Number(pid), text };
}
