import { cpus, release, totalmem, type } from "node:os";

/** Machine and date of a measurement. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
  };
}

export function describeMachine({ date, cpu, cores, memoryGib, system, node }: Machine): string {
  return `${date}, ${cores} × ${cpu}, ${memoryGib} GiB, ${system}, Node ${node.slice(1)}`;
}
