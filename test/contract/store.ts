import { describe } from "vitest";
import { attachmentContract } from "./store-attachments.ts";
import { provisionalContract } from "./store-provisional.ts";
import { dependencyContract } from "./store-dependencies.ts";
import { durabilityContract } from "./store-durability.ts";
import { feedingContract } from "./store-feeding.ts";
import { groupingContract } from "./store-grouping.ts";
import type { StoreHarness } from "./store-harness.ts";
import { holdingsContract } from "./store-holdings.ts";
import { jobContract } from "./store-jobs.ts";
import { taskContract } from "./store-tasks.ts";

/** The contract of every Store. Test names carry the rule ids of SPEC.md. */
export function storeContract(name: string, harness: StoreHarness): void {
  describe(`${name}: the store contract`, () => {
    jobContract(harness);
    dependencyContract(harness);
    taskContract(harness);
    provisionalContract(harness);
    feedingContract(harness);
    groupingContract(harness);
    holdingsContract(harness);
    attachmentContract(harness);
    durabilityContract(harness);
  });
}
