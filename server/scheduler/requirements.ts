import type { Requirements } from "../../shared/wire/rest.ts";
import type { SchedulerClientInfo } from "./events.ts";

/** Whether a client meets the requirements of a job. */
export function meets(info: SchedulerClientInfo, requires: Requirements): boolean {
  const { kind, memoryMb, webgpu, trusted } = requires;
  return (
    (kind === undefined || kind === info.kind) &&
    (memoryMb === undefined || memoryMb <= info.memoryMb) &&
    (!webgpu || info.webgpu) &&
    (!trusted || info.trusted)
  );
}
