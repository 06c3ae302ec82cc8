import { CallError } from "../abi.ts";
import { Exit, type Process } from "../process.ts";

/** The calls of a program that concern itself alone: it has one thread, and no signals. */
export function processCalls({ memory, randomize }: Process) {
  return {
    random_get(address: number, length: number): void {
      randomize(memory().bytes(address, length));
    },
    proc_exit(code: number): void {
      throw new Exit(code >>> 0);
    },
    proc_raise(_signal: number): void {
      throw new CallError("notsup");
    },
    sched_yield(): void {},
  };
}
