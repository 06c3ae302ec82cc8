import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import {
  command,
  DataReference,
  kernelModule,
  TaskFailedError,
  type CommandFile,
  type Hands,
} from "../../customer/index.ts";
import { eventually } from "../support/eventually.ts";
import type { Running } from "../support/processes.ts";
import { isLinux, skipped, unlessLinux } from "../support/skipped.ts";
import type sortedByCommand from "./kernels/sorting.ts";
import { LivePlatform } from "./live-platform.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const view = ["--ro-bind", "/", "/", "--proc", "/proc"];
const hasBubblewrap = spawnSync("bwrap", ["--unshare-all", ...view, "true"]).status === 0;
const withoutBubblewrap = skipped(!hasBubblewrap, "bubblewrap is not installed, or does not work");
const hasFasttree = spawnSync("fasttree", ["-help"]).error === undefined;
const withoutFasttree = skipped(!hasFasttree, "fasttree is not installed");

/** Processes of this machine whose arguments have a text. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && argumentsOf(pid).includes(mark));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** Directories of runs. */
function runDirectories(pid: number | undefined): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`manyhands-command-${pid}-`));
}

describe.skipIf(!isLinux).each(["isolated", "plain"] as const)(`commands, %s${unlessLinux}`, (kind) => {
  const isSkipped = kind === "isolated" && !hasBubblewrap;
  const why = kind === "isolated" ? withoutBubblewrap : "";
  let platform: LivePlatform;
  let hands: Hands;
  let client: Running;
  let environment: NodeJS.ProcessEnv;
  let allowFile: string;

  const startClient = async (): Promise<void> => {
    client = platform.startClient(2, ["--allow-commands", allowFile], environment);
    await eventually(() => expect(client.log() + client.output()).toContain("Connected to"));
  };

  beforeAll(async () => {
    platform = await LivePlatform.start({ slots: 0 });
    hands = await platform.connect();
    environment = kind === "plain" ? await withoutTools("bwrap") : {};
    allowFile = join(platform.directory, "commands.json");
    // A busy machine takes some seconds until a script exceeds its other bounds.
    const bounded = { seconds: 60, memoryMb: 200, processes: 8, stdoutMb: 1, outputMb: 4 };
    await writeFile(
      allowFile,
      JSON.stringify({
        sort: "/usr/bin/sort",
        sha256sum: "/usr/bin/sha256sum",
        sh: { path: "/bin/sh", env: { LAB: "yes" } },
        writing: { path: "/bin/sh", writes: [platform.directory] },
        brief: { path: "/bin/sh", args: ["-c"], seconds: 2 },
        bounded: { path: "/bin/sh", args: ["-c"], ...bounded },
        ...(hasFasttree && { fasttree: "/usr/bin/fasttree" }),
      }),
    );
    await startClient();
  });
  afterAll(() => platform.close());

  /** The programs of the PATH in a directory, but for one. */
  async function withoutTools(missing: string): Promise<NodeJS.ProcessEnv> {
    const directory = join(platform.directory, "bin");
    await mkdir(directory);
    for (const folder of (process.env["PATH"] ?? "").split(delimiter).filter((each) => existsSync(each)))
      for (const name of readdirSync(folder))
        if (name !== missing && !existsSync(join(directory, name)))
          symlinkSync(join(folder, name), join(directory, name));
    return { PATH: directory };
  }

  const sh = (script: string, ...args: string[]) => command("sh", { args: ["-c", script, "sh", ...args] });

  it.skipIf(isSkipped)(
    `[COMMAND-1] get arguments, standard input, files and data references${why}`,
    async () => {
      const sort = command("sort", { args: ["-r", "-t", "{separator}", "{lines}"] });
      const reference = await hands.put(text("a\nc\nb\n"));
      const sorted = await hands.map(sort, [
        { separator: ",", lines: text("1\n3\n2\n") },
        { separator: "{", lines: reference },
        { separator: " ", lines: reference.slice(2) },
      ]);
      expectTypeOf(sorted).toEqualTypeOf<string[]>();
      expect(sorted).toEqual(["3\n2\n1\n", "c\nb\na\n", "c\nb\n"]);
      const sum = command("sha256sum", { stdin: "{input}", output: "bytes" });
      expect(await hands.map(sum, ["", text("")])).toEqual(
        [1, 2].map(() => text(`e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\n`)),
      );
      const fixed = command("sort", { args: ["lib/table"], files: { "lib/table": text("y\nx\n") } });
      expect(await hands.submit(fixed, 0)).toBe("x\ny\n");
    },
  );

  it.skipIf(isSkipped)(
    `[COMMAND-1] are stages, are combined, and run from a kernel module${why}`,
    async () => {
      const first = hands.map(sh('echo "$1"', "{input}"), ["b", "a"]);
      const joined = hands.reduce(sh('echo "$1"', "{input}"), ["a", "b", "c"], { combine: (a, b) => a + b });
      expect(await hands.map(command("sort", { args: ["{input:file}"] }), first.outputs())).toEqual([
        "b\n",
        "a\n",
      ]);
      expect(await joined).toBe("a\nb\nc\n");
      const own = kernelModule<typeof sortedByCommand>(new URL("./kernels/sorting.ts", import.meta.url));
      expect(await hands.map(own, [["b", "a"]], { requires: { command: "sort" } })).toEqual([["a", "b"]]);
      await expect(hands.map(own, [["b"]], { maxAttempts: 1 })).rejects.toThrow(/requires no command/);
    },
  );

  it.skipIf(isSkipped)(`[COMMAND-1] leave files, large ones as data references${why}`, async () => {
    const write = command("sh", {
      args: [
        "-c",
        'mkdir -p out; echo "$1" > out/small; head -c 100000 /dev/zero > out/large; echo no > other',
        "sh",
        "{input}",
      ],
      output: { files: ["out/*"] },
    });
    const [left] = await hands.map(write, ["one"]);
    expectTypeOf(left!).toEqualTypeOf<Record<string, CommandFile>>();
    expect(Object.keys(left!)).toEqual(["out/large", "out/small"]);
    expect(left!["out/small"]).toEqual(text("one\n"));
    const large = left!["out/large"];
    expect(DataReference.is(large) && (await hands.get(large))).toEqual(new Uint8Array(100_000));
    expect(runDirectories(client.process.pid)).toEqual([]);
  });

  it.skipIf(isSkipped || !hasFasttree)(
    `[COMMAND-1] infer a tree as at the prompt${why}${withoutFasttree}`,
    async () => {
      const alignment = ["A", "B", "C", "D", "E"]
        .map((name, n) => `>${name}\n${"ACGTACGTAC".repeat(6).slice(n, n + 40)}`)
        .join("\n");
      const { stdout } = spawnSync("fasttree", ["-nt", "-quiet"], { input: alignment, encoding: "utf8" });
      const fasttree = command("fasttree", { args: ["-nt", "-quiet", "{input}"] });
      expect(stdout).toContain("(");
      expect(await hands.map(fasttree, [await hands.put(text(alignment))])).toEqual([stdout]);
    },
  );

  it.skipIf(isSkipped)(
    `[COMMAND-3] see arguments as they are, and values begin no option${why}`,
    async () => {
      const hostile = "$(touch x); `id` 'q' \"w\" \\ | cat & > out";
      expect(await hands.map(sh('printf %s "$1"', "{input}"), [hostile])).toEqual([hostile]);
      expect(await hands.map(sh('printf %s "$1"', "{input}"), [-1.5e-7])).toEqual(["-1.5e-7"]);
      const sort = command("sort", { args: ["{input}"] });
      await expect(hands.map(sort, ["--output=stolen"], { maxAttempts: 1 })).rejects.toThrow(
        /looks like an option/,
      );
      expect(await hands.map(sh('printf %s "$1"', "--sort={input}"), ["-n"])).toEqual(["--sort=-n"]);
      await expect(hands.map(sort, ["nul\0"], { maxAttempts: 1 })).rejects.toThrow(/without NUL/);
    },
  );

  it.skipIf(isSkipped)(`[COMMAND-3] no path and no link leads out of the directory${why}`, async () => {
    for (const path of ["../out", "/tmp/out", "a/../../out", "a//b", "./a"])
      await expect(
        hands.map(command("sort", {}), [{ [path]: text("x") }], { maxAttempts: 1, failFast: false }),
      ).rejects.toThrow(/below the command's directory/);
    const secret = join(platform.directory, "secret");
    await writeFile(secret, "secret");
    const links = command("sh", {
      args: [
        "-c",
        'ln -s "$1" link; ln -s / root; mkfifo pipe; ln "$1" hard; echo fine > file',
        "sh",
        "{input}",
      ],
      output: { files: "**" },
    });
    const [left] = await hands.map(links, [secret]);
    // A hard link is the file of a program that can read it anyway: an isolated one cannot.
    expect(left).toEqual({ file: text("fine\n"), ...(kind === "plain" && { hard: text("secret") }) });
  });

  it.skipIf(isSkipped)(`[COMMAND-4] exceed no bound of their owner${why}`, async () => {
    const exceeds: [script: string, told: RegExp][] = [
      [
        "hold() { (head -c 150000000 /dev/zero; sleep 100) | tail > /dev/null; }; hold & hold",
        /more than 200 MiB of memory/,
      ],
      ["for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; wait", /more than 8 processes/],
      ["head -c 3000000 /dev/zero", /more than 1 MiB to standard output/],
      ["for i in 1 2 3; do head -c 3000000 /dev/zero > $i; done; sleep 100", /more than 4 MiB on disk/],
    ];
    const fillShared = "for i in 1 2 3; do head -c 3000000 /dev/zero > /dev/shm/$i; done; sleep 100";
    if (kind === "isolated") exceeds.push([fillShared, /more than 4 MiB on disk/]);
    const settled = await hands
      .map(
        command("bounded", { args: ["{input}"] }),
        exceeds.map(([script]) => script),
        { maxAttempts: 1, failFast: false },
      )
      .settled();
    for (const [index, [, told]] of exceeds.entries())
      expect(settled[index]).toMatchObject({
        status: "failed",
        error: { message: expect.stringMatching(told) as string },
      });
    const brief = hands.map(command("brief", { args: ["sleep 1000"] }), [0], { maxAttempts: 1 });
    await expect(brief).rejects.toThrow(/ran for more than 2 s/);
    const job = hands.map(sh("(head -c 50000000 /dev/zero; sleep 100) | tail"), [0], {
      maxAttempts: 1,
      memoryMb: 32,
    });
    await expect(job).rejects.toThrow(/more than 32 MiB of memory/);
  });

  it.skipIf(isSkipped)(
    `[COMMAND-5] end with all that they started: at their end, at a cancel, with the client${why}`,
    async () => {
      const mark = `3.${process.pid}${kind === "plain" ? 1 : 2}`;
      const tree = `sleep 1000${mark} & setsid -f sleep 2000${mark} & (trap '' TERM; sleep 3000${mark}) & sleep 0.2; `;
      expect(await hands.map(sh(`${tree} echo done`), [0])).toEqual(["done\n"]);
      await expect.poll(() => processesWith(mark)).toEqual([]);
      const controller = new AbortController();
      const cancelled = hands.map(sh(`${tree} wait; sleep 4000${mark}`), [0], { signal: controller.signal });
      await expect.poll(() => processesWith(`000${mark}`).length).toBeGreaterThan(3);
      controller.abort();
      await expect(cancelled).rejects.toThrow();
      await expect.poll(() => processesWith(mark)).toEqual([]);
      await expect.poll(() => runDirectories(client.process.pid)).toEqual([]);
      const killed = hands.map(sh(`${tree} wait; sleep 4000${mark}`), [0], { maxAttempts: 1 });
      killed.then(undefined, () => undefined);
      await expect.poll(() => processesWith(`000${mark}`).length).toBeGreaterThan(3);
      const { pid } = client.process;
      await client.kill();
      await expect.poll(() => processesWith(mark)).toEqual([]);
      await killed.cancel();
      expect(runDirectories(pid)).toHaveLength(1);
      await startClient();
      expect(runDirectories(pid)).toEqual([]);
    },
  );

  it.skipIf(kind === "plain" || isSkipped)(
    `[COMMAND-6] see the system read-only, themselves, and no network${why}`,
    async () => {
      const see = sh(
        'for each in /usr/x /x /dev/x; do touch $each 2>/dev/null && echo writable; done; ls /proc | grep -c "^[0-9]" ; ls "$1" 2>&1 | grep -c commands.json; cat /proc/net/dev | grep -c ":"; pwd; echo $LAB; test -r /etc/shadow && echo shadow; touch /tmp/ok /dev/shm/ok && echo ok',
        "{input}",
      );
      const [seen] = await hands.map(see, [platform.directory]);
      const write = command("writing", {
        args: ["-c", 'echo x > "$1/written"; cat "$1/written"', "sh", "{input}"],
      });
      expect(await hands.map(write, [platform.directory])).toEqual(["x\n"]);
      const [processes, files, interfaces, ...rest] = seen!.trim().split("\n");
      expect(Number(processes)).toBeLessThan(8);
      expect([files, interfaces, ...rest]).toEqual(["0", "1", "/work", "yes", "ok"]);
    },
  );

  it.skipIf(isSkipped)(
    `[COMMAND-7] tell exit code, signal, standard error and missing files${why}`,
    async () => {
      const failure = async (script: string, options = {}): Promise<string> => {
        const job = hands.map(command("sh", { args: ["-c", script], ...options }), [0], { maxAttempts: 1 });
        const error = await job.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(TaskFailedError);
        return (error as Error).message;
      };
      expect(await failure("echo begin >&2; seq 100000 >&2; echo end >&2; exit 3")).toMatch(
        /sh ended with exit code 3\. Standard error:\nbegin\n1\n[^]*bytes …\][^]*99999\n100000\nend/,
      );
      expect(await failure("kill -SEGV $$")).toContain("was ended by the signal SIGSEGV");
      expect(await failure("echo x > b", { output: { files: "*.tree" } })).toMatch(
        /left no file \*\.tree\. Its files are b/,
      );
      expect(await hands.map(command("sh", { args: ["-c", "exit 3"], exitCodes: [3] }), [0])).toEqual([""]);
    },
  );

  it.skipIf(isSkipped)(`[COMMAND-2] wait for a client that allows them, and why tells${why}`, async () => {
    const job = hands.map(command("relion_project", {}), [0]);
    job.then(undefined, () => undefined);
    const reasons = async (): Promise<string[]> => {
      const response = await fetch(`${platform.url}/api/jobs/${await job.id}/why`, {
        headers: { authorization: `Bearer ${platform.server.token}` },
      });
      return ((await response.json()) as { reasons: { text: string }[] }).reasons.map(
        (reason) => reason.text,
      );
    };
    await expect
      .poll(reasons)
      .toEqual([
        expect.stringContaining("the command relion_project, which no connected trusted client allows"),
      ]);
    await job.cancel();
    expect(await readFile(allowFile, "utf8")).not.toContain("relion_project");
  });
});
