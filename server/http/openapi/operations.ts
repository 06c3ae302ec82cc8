import type { RouteName } from "../../access/rules.ts";
import { accessOperations } from "./access.ts";
import { attachmentOperations } from "./attachments.ts";
import { blobOperations } from "./blobs.ts";
import { clientOperations } from "./clients.ts";
import { jobViewOperations } from "./job-views.ts";
import { jobOperations } from "./jobs.ts";
import { kernelOperations } from "./kernels.ts";
import type { Operation } from "./operation.ts";
import { resultOperations } from "./results.ts";
import { statusOperations } from "./status.ts";
import { upkeepOperations } from "./upkeep.ts";

/** The entry of every route. */
export const operations: Record<RouteName, Operation> = {
  ...jobOperations,
  ...jobViewOperations,
  ...attachmentOperations,
  ...accessOperations,
  ...statusOperations,
  ...resultOperations,
  ...blobOperations,
  ...kernelOperations,
  ...clientOperations,
  ...upkeepOperations,
};
