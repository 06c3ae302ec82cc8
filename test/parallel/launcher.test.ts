import { describe, expect, it } from "vitest";
import { launchCommand, launchEnvironment, splitWords } from "../../parallel/mpi/launcher.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

describe("launcher of ranks", () => {
  it("is the first of mpirun, mpiexec and srun in PATH, with -n", async () => {
    const directory = await temporaryDirectory();
    for (const name of ["srun", "mpiexec"]) {
      await writeFile(join(directory, name), "#!/bin/sh\n");
      await chmod(join(directory, name), 0o755);
    }
    expect(launchCommand(16, { PATH: `/nowhere:${directory}` })).toEqual(["mpiexec", "-n", "16"]);
  });

  it("is MANYHANDS_MPIRUN with its options; MANYHANDS_MPIOPTS replaces -n", () => {
    const env = {
      MANYHANDS_MPIRUN: "srun --mpi=none",
      MANYHANDS_MPIOPTS: "--map-by 'ppr:1:node' -x A=\"b c\"",
    };
    expect(launchCommand(16, env)).toEqual(["srun", "--mpi=none", "--map-by", "ppr:1:node", "-x", "A=b c"]);
    expect(launchCommand(3, { MANYHANDS_MPIRUN: "/opt/mpirun" })).toEqual(["/opt/mpirun", "-n", "3"]);
  });

  it("missing, is refused with what is expected", () => {
    expect(() => launchCommand(2, { PATH: "/nowhere" })).toThrow(
      /None of mpirun.*MANYHANDS_MPIRUN.*thread:2/,
    );
  });

  it("options with an open quote are refused", () => {
    expect(splitWords(" a  'b \"c' \"\" d''e ", "X")).toEqual(["a", 'b "c', "", "de"]);
    expect(() => splitWords("-n 'two", "MANYHANDS_MPIOPTS")).toThrow(/not closed in MANYHANDS_MPIOPTS/);
  });

  it("may run as root only where root runs it; what the person set stays", () => {
    expect(launchEnvironment({ A: "1" }, true)).toMatchObject({ A: "1", OMPI_ALLOW_RUN_AS_ROOT: "1" });
    expect(launchEnvironment({}, false)).not.toHaveProperty("OMPI_ALLOW_RUN_AS_ROOT");
    expect(launchEnvironment({ SLURM_KILL_BAD_EXIT: "1" }, false)["SLURM_KILL_BAD_EXIT"]).toBe("1");
  });
});
