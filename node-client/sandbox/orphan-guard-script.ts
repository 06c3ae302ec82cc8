import { fileURLToPath } from "node:url";
import { moduleBeside } from "../../system/module-beside.ts";

/** Arguments of Node that run the orphan guard. The client in one file has its program in them. */
export function orphanGuardArguments(): string[] {
  return [fileURLToPath(moduleBeside(import.meta.url, "orphan-guard-process"))];
}
