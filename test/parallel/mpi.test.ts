import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { PlatformError } from "../../shared/errors.ts";
import { connectMpi, type MpiHands } from "../../parallel/mpi/connect-mpi.ts";
import { processesWith, type SystemProcess } from "../support/process-table.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { squares } from "../support/jobs.ts";
import { skipped } from "../support/skipped.ts";

const missing = spawnSync("mpirun", ["--version"]).error !== undefined;

const slowSquare = async ({ x, ms }: { x: number; ms: number }): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return x * x;
};
const inputs = (count: number, ms: number): { x: number; ms: number }[] =>
  Array.from({ length: count }, (_, x) => ({ x, ms }));

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(missing)(
  `mpi:N:SCRATCH under Open MPI${skipped(missing, "mpirun is not installed; Debian: openmpi-bin")}`,
  () => {
    it("[MPI-1] computes on N ranks, shows nothing to others, and is gone with hands.close()", async () => {
      const scratch = await temporaryDirectory();
      const hands = await open(scratch);
      expect(await hands.map(slowSquare, inputs(8, 50))).toEqual(squares(8));
      // A rank may finish every task before the other has joined.
      const clients = await until(async () => {
        const there = await hands.clients();
        return there.length === 2 ? there : undefined;
      });
      expect(clients.every(({ trusted, slots }) => trusted && slots === 1)).toBe(true);
      expect((await hands.status()).volunteers).toBe("off");
      expect((await fetch(new URL("/api/jobs", hands.url))).status).toBe(401);
      expect(rendezvousFiles(scratch)).toHaveLength(1);
      await hands.close();
      expect(rendezvousFiles(scratch)).toEqual([]);
      expect(processesWith(scratch)).toEqual([]);
      await expect(hands.jobs()).rejects.toMatchObject({ code: "WRONG_STATE" });
    });

    it("[MPI-2] a rank's client killed with -9 costs its task a retry, and is there again", async () => {
      const scratch = await temporaryDirectory();
      const hands = await open(scratch);
      await until(() => clientsOf(scratch).length === 2);
      const job = hands.map(slowSquare, inputs(12, 300));
      await until(async () => (await job.status()).counts.done >= 2);
      const doomed = clientsOf(scratch)[0]!;
      process.kill(doomed.pid, "SIGKILL");
      expect(await job).toEqual(squares(12));
      await until(() => clientsOf(scratch).filter(({ pid }) => pid !== doomed.pid).length === 2);
    });

    it.for(["mpiexec.openmpi", "mpiexec.hydra"])(
      "[MPI-2] the same under %s, and nothing stays",
      async (launcher, { skip }) => {
        if (spawnSync(launcher, ["--version"]).error)
          skip(`${launcher} is not installed (Debian: openmpi-bin, mpich)`);
        const scratch = await temporaryDirectory();
        vi.stubEnv("MANYHANDS_MPIRUN", launcher);
        const hands = await open(scratch);
        const job = hands.map(slowSquare, inputs(12, 300));
        await until(async () => (await job.status()).counts.done >= 2);
        process.kill(clientsOf(scratch)[0]!.pid, "SIGKILL");
        expect(await job).toEqual(squares(12));
        await hands.close();
        await until(() => processesWith(scratch).length === 0);
      },
    );

    it("[MPI-2] a rank killed with -9 together with its supervisor leaves the others at work", async () => {
      const scratch = await temporaryDirectory();
      const hands = await open(scratch);
      await until(() => clientsOf(scratch).length === 2);
      const job = hands.map(slowSquare, inputs(12, 300));
      await until(async () => (await job.status()).counts.done >= 2);
      const supervisor = supervisorsOf(scratch)[0]!;
      const itsClient = clientsOf(scratch).find(({ pid }) => parentOf(pid) === supervisor.pid)!;
      process.kill(supervisor.pid, "SIGKILL");
      process.kill(itsClient.pid, "SIGKILL");
      expect(await job).toEqual(squares(12));
      expect(supervisorsOf(scratch)).toHaveLength(1);
    });

    it("[MPI-3] all ranks gone: what waits rejects with the launcher's own words", async () => {
      const scratch = await temporaryDirectory();
      vi.stubEnv("MANYHANDS_MPIOPTS", "-n 2 --no-such-option");
      const hands = await open(scratch);
      const error = (await hands.map(slowSquare, inputs(2, 10)).then(
        () => undefined,
        (reason: unknown) => reason,
      )) as PlatformError;
      expect(error).toMatchObject({ name: "PlatformError", code: "RANKS_GONE" });
      expect(error.message).toMatch(
        /All MPI ranks are gone: mpirun ended with status \d+\. It said:[^]*no-such-option/,
      );
      await expect(hands.status()).rejects.toMatchObject({ code: "RANKS_GONE" });
      await hands.close();
      expect(rendezvousFiles(scratch)).toEqual([]);
    });

    it("[MPI-3] the launcher killed in mid-job: an error, no hang, and no rank stays", async () => {
      const scratch = await temporaryDirectory();
      vi.stubEnv("MANYHANDS_EXIT_WHEN_SERVER_GONE", "1");
      const hands = await open(scratch);
      const job = hands.map(slowSquare, inputs(2, 60_000));
      await until(async () => (await job.status()).counts.running === 2);
      process.kill(launcherOf(scratch).pid, "SIGKILL");
      await expect(job).rejects.toMatchObject({ code: "RANKS_GONE" });
      await until(() => processesWith(scratch).length === 0);
    });

    it("[MPI-4] programs of one user with one SCRATCH at the same time keep to their own ranks", async () => {
      const scratch = await temporaryDirectory();
      vi.stubEnv("MANYHANDS_MPIOPTS", "-n 1");
      const [one, other] = await Promise.all([open(scratch), open(scratch)]);
      expect(one.url).not.toBe(other.url);
      const results = await Promise.all([
        one.map(slowSquare, inputs(6, 20)),
        other.map(slowSquare, inputs(9, 20)),
      ]);
      expect(results).toEqual([squares(6), squares(9)]);
      expect(await one.jobs()).toHaveLength(1);
      expect(await one.clients()).toHaveLength(1);
      await one.close();
      expect(await other.map(slowSquare, inputs(2, 1))).toEqual([0, 1]);
    });

    it("[MPI-5] a program killed with -9 leaves no rank behind, and goes on with its job when it is run again", async () => {
      const scratch = await temporaryDirectory();
      const first = program(scratch);
      await until(() => /done [1-9]/.test(first.output()));
      first.child.kill("SIGKILL");
      await until(() => processesWith(scratch).length === 0);
      const again = program(scratch);
      await once(again.child, "close");
      expect(again.output()).toContain(`outputs ${JSON.stringify(squares(40))}`);
      // The first progress of the second run counts the results of the first run.
      expect(Number(/done (\d+)/.exec(again.output())?.[1])).toBeGreaterThan(0);
      expect(rendezvousFiles(scratch)).toEqual([]);
    });
  },
);

async function open(scratch: string): Promise<MpiHands> {
  const hands = await connectMpi({ type: "mpi", ranks: 2, scratch, options: { name: "test" } }, {});
  onTestFinished(() => hands.close());
  return hands;
}

function program(scratch: string): { child: ChildProcess; output(): string } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "mpi-program.ts"), scratch], {
    env: { ...process.env, MANYHANDS_EXIT_WHEN_SERVER_GONE: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  return { child, output: () => output };
}

function rendezvousFiles(scratch: string): string[] {
  return readdirSync(scratch, { recursive: true, encoding: "utf8" }).filter((name) =>
    /rendezvous-[^/]*\.json/.test(name),
  );
}

const isSupervisor = ({ parameters: [program] }: SystemProcess): boolean => program === "sh";
const isClient = ({ parameters: [program] }: SystemProcess): boolean => program === process.execPath;

function clientsOf(scratch: string): SystemProcess[] {
  return processesWith(scratch).filter((one) => isClient(one) && one.parameters.includes("client"));
}

function supervisorsOf(scratch: string): SystemProcess[] {
  return processesWith(scratch).filter(isSupervisor);
}

function launcherOf(scratch: string): SystemProcess {
  return processesWith(scratch).find(({ parameters: [program] }) => program === "mpirun")!;
}

function parentOf(pid: number): number {
  const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" });
  return Number(stdout);
}
