import { describe, expect, it } from "vitest";
import { clientsOnThisMachine, parseMemory, planMemory } from "../../node-client/memory-plan.ts";
import { processOverheadMb } from "../../node-client/sandbox/child-command.ts";

describe("--max-memory", () => {
  it("gives as many slots as fit with what a job gets by default, and shares the rest", () => {
    expect(planMemory({ maxMemoryMb: 16_384, slots: 4 })).toEqual({
      slots: 4,
      memoryMb: 4096 - processOverheadMb,
    });
    expect(planMemory({ maxMemoryMb: 1500, slots: 8 })).toEqual({
      slots: 2,
      memoryMb: 750 - processOverheadMb,
    });
  });

  it("keeps one slot when there is little, and says how much there must be when it is too little", () => {
    expect(planMemory({ maxMemoryMb: 400, slots: 8 })).toEqual({
      slots: 1,
      memoryMb: 400 - processOverheadMb,
    });
    expect(() => planMemory({ maxMemoryMb: 100, slots: 8 })).toThrow(
      /100 MiB is too little.*at least \d+ MiB/,
    );
  });

  it("with --memory-mb changes the number of slots only, and never exceeds the bound", () => {
    expect(planMemory({ maxMemoryMb: 8192, slots: 16, memoryMb: 2000 })).toEqual({
      slots: 3,
      memoryMb: 2000,
    });
    for (let maxMemoryMb = 210; maxMemoryMb < 40_000; maxMemoryMb += 333) {
      const { slots, memoryMb } = planMemory({ maxMemoryMb, slots: 12 });
      expect(slots * (memoryMb + processOverheadMb)).toBeLessThanOrEqual(maxMemoryMb);
    }
  });

  it("is written with or without a unit", () => {
    expect(["8G", "8GiB", "8 gb", "0.5T", "8192M", "8192"].map(parseMemory)).toEqual([
      8192, 8192, 8192, 524_288, 8192, 8192,
    ]);
    expect(["", "G", "-1", "0", "8X", "8G!"].map(parseMemory)).toEqual(Array.from({ length: 6 }));
  });
});

describe("clients on one machine", () => {
  it.each([
    [{}, 1],
    [{ OMPI_COMM_WORLD_LOCAL_SIZE: "4" }, 4],
    [{ MPI_LOCALNRANKS: "8" }, 8],
    [{ SLURM_STEP_ID: "0", SLURM_STEP_TASKS_PER_NODE: "2(x3)" }, 2],
    [{ SLURM_STEP_TASKS_PER_NODE: "2(x3)" }, 1],
    [{ OMPI_COMM_WORLD_LOCAL_SIZE: "x" }, 1],
  ])("as launchers say: %o", (env, count) => {
    expect(clientsOnThisMachine(env)).toBe(count);
  });
});
