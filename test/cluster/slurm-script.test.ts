import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  parseSlurmTime,
  slurmScript,
  slurmTime,
  type SlurmOptions,
} from "../../parallel/cluster/slurm-script.ts";
import { run } from "../support/processes.ts";

const options: SlurmOptions = {
  nodes: 4,
  timeSeconds: 7200,
  rendezvous: "/home/o'neill/my server.json",
  jobName: "manyhands",
  drainSeconds: 45,
  serverGoneSeconds: 600,
  command: ["/opt/node", "/opt/many hands/bin/manyhands.js"],
};

describe("script for sbatch", () => {
  it("is a job array of whole nodes that is told a minute before its time is over, and may be requeued", () => {
    const script = slurmScript(options);
    for (const directive of [
      "array=1-4",
      "nodes=1",
      "time=02:00:00",
      "signal=B:TERM@60",
      "exclusive",
      "requeue",
    ])
      expect(script.split("\n")).toContain(`#SBATCH --${directive}`);
    // Slurm reads directives up to the first command.
    const lines = script.split("\n");
    expect(lines.findLastIndex((line) => line.startsWith("#SBATCH"))).toBeLessThan(
      lines.findIndex((line, at) => at > 0 && !line.startsWith("#") && line !== ""),
    );
  });

  it("is understood by a shell with any names", () => {
    // A command that prints its parameters replaces the client's command.
    const shown = slurmScript({ ...options, command: ["/usr/bin/printf", "<%s>"] });
    const environment = {
      PATH: process.env["PATH"],
      USER: "me",
      SLURM_CPUS_ON_NODE: "8",
      SLURM_MEM_PER_NODE: "4096",
    };
    const { stdout, stderr } = spawnSync("bash", [], { input: shown, encoding: "utf8", env: environment });
    expect(stderr).toBe("");
    expect(stdout).toContain("<client><--rendezvous></home/o'neill/my server.json><--rendezvous-wait><600>");
    expect(stdout).toContain("<--slots><8><--max-memory><4096M><--cache-dir></tmp/manyhands-me>");
    expect(stdout).toContain("<--drain-seconds><45><--exit-when-server-gone><600>");
  });

  it("with an address holds no token, and fails by name where none came along", () => {
    const { rendezvous: _, ...rest } = options;
    const script = slurmScript({
      ...rest,
      server: "http://head:9990",
      cpus: 8,
      memory: "16G",
      partition: "short",
    });
    expect(script).toContain("#SBATCH --cpus-per-task=8\n#SBATCH --mem=16G");
    expect(script).not.toContain("--exclusive");
    const { status, stderr } = spawnSync("bash", [], { input: script, encoding: "utf8", env: {} });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/MANYHANDS_TOKEN: has to be set/);
  });

  it.each([
    [{ server: "http://head:9990" }, /exactly one of --server/],
    [{ timeSeconds: 100 }, /too short for a drain of 45 s; expected more than 120 s/],
    [{ partition: "a b" }, /"a b" cannot stand/],
    [{ jobName: "x\n#SBATCH --uid=0" }, /cannot stand/],
  ])("refuses %o", (changed, reason) => {
    expect(() => slurmScript({ ...options, ...changed })).toThrow(reason);
  });

  it("writes and reads times as Slurm does", () => {
    expect([90, 7200, 129_600].map(slurmTime)).toEqual(["00:01:30", "02:00:00", "1-12:00:00"]);
    expect(["30", "30:15", "2:00:00", "1-12", "1-12:30", "1-00:00:05"].map(parseSlurmTime)).toEqual([
      1800, 1815, 7200, 129_600, 131_400, 86_405,
    ]);
    expect(["", "2h", "1:2:3:4", "-5"].map(parseSlurmTime)).toEqual(Array.from({ length: 4 }));
  });
});

describe("manyhands cluster slurm", () => {
  it("prints the script", async () => {
    const command = run([
      "cluster",
      "slurm",
      "--nodes",
      "4",
      "--time",
      "2:00:00",
      "--rendezvous",
      "server.json",
    ]);
    expect(await command.ended).toBe(0);
    expect(command.output()).toMatch(/^#!\/bin\/bash\n#SBATCH/);
    expect(command.output()).toContain("bin/manyhands.js client");
  });

  it("without a needed option exits 2 and names the option", async () => {
    const command = run(["cluster", "slurm", "--nodes", "4", "--time", "soon"]);
    expect(await command.ended).toBe(2);
    expect(command.log()).toMatch(/expected a time such as/);
  });
});
