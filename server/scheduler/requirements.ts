import type { Requirements } from "../../shared/wire/rest/requirements.ts";
import type { SchedulerClientInfo, SchedulerJob } from "./events.ts";

/** Whether a client meets the requirements of a job. */
export function meets(info: SchedulerClientInfo, requires: Requirements): boolean {
  const { kind, memoryMb, webgpu, trusted, command } = requires;
  return (
    (kind === undefined || kind === info.kind) &&
    (memoryMb === undefined || memoryMb <= info.memoryMb) &&
    (!webgpu || info.webgpu) &&
    (!trusted || info.trusted) &&
    (command === undefined || (info.trusted && info.commands?.includes(command) === true))
  );
}

/** Whether a client meets the requirements of a job, and trusts the kernel's signer when it runs signed kernels only. */
export function suits(info: SchedulerClientInfo, { requires, descriptor }: SchedulerJob): boolean {
  const { signature } = descriptor;
  const trusts =
    info.trusts === undefined || (signature !== undefined && info.trusts.includes(signature.key));
  return trusts && meets(info, requires);
}
