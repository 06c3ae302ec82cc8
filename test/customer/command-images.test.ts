import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, type Hands } from "../../customer/index.ts";
import { eventually } from "../support/eventually.ts";
import { importImage, makeImageFiles, withoutPodman } from "../support/image-files.ts";
import type { Running } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";
import { LivePlatform } from "./live-platform.ts";

const view = ["--ro-bind", "/", "/", "--proc", "/proc"];
const hasBubblewrap = spawnSync("bwrap", ["--unshare-all", ...view, "true"]).status === 0;
const withoutBubblewrap = skipped(!hasBubblewrap, "bubblewrap is not installed, or does not work");
const why = withoutBubblewrap || withoutPodman;

describe.skipIf(why !== "")(`commands in a container image${why}`, () => {
  const image = `localhost/manyhands-test-${process.pid}:1`;
  let platform: LivePlatform;
  let hands: Hands;
  let client: Running;
  let allowFile: string;

  const startClient = async (): Promise<void> => {
    client = platform.startClient(2, ["--allow-commands", allowFile]);
    await eventually(() => expect(client.log() + client.output()).toContain("Connected to"));
  };

  beforeAll(async () => {
    platform = await LivePlatform.start({ slots: 0 });
    hands = await platform.connect();
    makeImageFiles(join(platform.directory, "image"));
    importImage(join(platform.directory, "image"), image);
    allowFile = join(platform.directory, "commands.json");
    const sh = { path: "/bin/sh", image, args: ["-c"] };
    const unpacked = { path: "/bin/sh", image: join(platform.directory, "image"), args: ["-c"] };
    await writeFile(
      allowFile,
      JSON.stringify({
        sh: { ...sh, env: { OWNER: "lab" }, reads: ["/usr/lib/os-release", platform.directory] },
        unpacked: { ...unpacked, env: { LAB: "image", PATH: "/bin", OWNER: "lab" } },
        bounded: { ...sh, processes: 8, outputMb: 4, memoryMb: 200 },
      }),
    );
    await startClient();
  });
  afterAll(async () => {
    execFileSync("podman", ["rmi", "-f", image], { stdio: "ignore" });
    await platform.close();
  });

  const run = (script: string, name = "sh") => command(name, { args: [script, "sh", "{input}"] });

  it.each(["sh", "unpacked"])(
    "[COMMAND-9] see its files read-only, its environment, their own directory, no network (%s)",
    async (name) => {
      const script = [
        "cat /etc/image",
        "cat $1",
        "pwd",
        "echo $LAB $OWNER $HOME",
        "for each in /x /etc/x /opt/lab/x /dev/x; do touch $each 2> /dev/null && echo writable; done",
        "touch here /tmp/x /dev/shm/x && echo written",
        "grep -c : /proc/net/dev",
        "ls / | sort | { while read each; do echo -n $each,; done; echo; }",
        'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status',
      ].join("; ");
      const [seen] = await hands.map(run(script, name), [new TextEncoder().encode("input\n")]);
      expect(seen!.trim().split("\n")).toEqual([
        "files of the image",
        "input",
        "/work",
        "image lab /tmp",
        "written",
        "1",
        expect.stringMatching(/^bin,dev,etc,lib,(?:lib64,)?opt,proc,srv,tmp,usr,work,$/),
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
      ]);
    },
  );

  it("[COMMAND-9] read what the owner lists, also where the image has directories", async () => {
    const read = run(
      'cat /usr/lib/os-release /usr/lib/own "$1/image/etc/image"; touch "$1/x" || echo refused',
    );
    expect(await hands.map(read, [platform.directory])).toEqual([
      `${readFileSync("/usr/lib/os-release", "utf8")}own\nfiles of the image\nrefused\n`,
    ]);
  });

  it("[COMMAND-4] [COMMAND-9] exceed no bound of their owner", async () => {
    const exceeds: [script: string, told: RegExp][] = [
      ["for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; wait", /more than 8 processes/],
      ["for i in 1 2 3; do head -c 3000000 /dev/zero > $i; done; sleep 100", /more than 4 MiB on disk/],
      [
        "hold() { (head -c 150000000 /dev/zero; sleep 100) | tail > /dev/null; }; hold & hold",
        /more than 200 MiB of memory/,
      ],
    ];
    const bounded = command("bounded", { args: ["{input}"] });
    const inputs = exceeds.map(([script]) => script);
    const settled = await hands.map(bounded, inputs, { maxAttempts: 1, failFast: false }).settled();
    for (const [index, [, told]] of exceeds.entries())
      expect(settled[index]).toMatchObject({ error: { message: expect.stringMatching(told) as string } });
  });

  it("[COMMAND-5] [COMMAND-9] end with their client, and leave no container; the copy stays", async () => {
    const mark = `5.${process.pid}`;
    const living = (): string[] => processesWith(mark);
    const tree = `setsid sleep 1000${mark} & env -i /bin/sleep 2000${mark} & sleep 3000${mark}`;
    const controller = new AbortController();
    const cancelled = hands.map(run(tree), [0], { signal: controller.signal });
    await expect.poll(living).not.toEqual([]);
    controller.abort();
    await expect(cancelled).rejects.toThrow();
    await expect.poll(living).toEqual([]);
    const killed = hands.map(run(tree), [0], { maxAttempts: 1 });
    killed.then(undefined, () => undefined);
    await expect.poll(living).not.toEqual([]);
    expect(client.log() + client.output()).toContain(`Unpacking the image ${image}`);
    await client.kill();
    await expect.poll(living).toEqual([]);
    await killed.cancel();
    const containers = execFileSync("podman", ["ps", "-a", "--format", "{{.Image}} {{.Names}}"]).toString();
    expect(containers).not.toContain(image);
    await startClient();
    expect(client.log() + client.output()).not.toContain("Unpacking");
    expect(await hands.map(run("cat /etc/image"), [0])).toEqual(["files of the image\n"]);
  });
});

/** Processes of this machine whose arguments have a text. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(mark);
    } catch {
      return false;
    }
  });
}
