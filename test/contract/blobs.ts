import { describe } from "vitest";
import { collectionContract } from "./blob-collection.ts";
import { damageContract } from "./blob-damage.ts";
import type { BlobHarness } from "./blob-harness.ts";
import { readContract } from "./blob-reads.ts";
import { sharingContract } from "./blob-sharing.ts";
import { uploadContract } from "./blob-uploads.ts";

/**
 * The contract of every place for blobs. Test names carry the rule ids of SPEC.md.
 */
export function blobContract(name: string, harness: BlobHarness): void {
  describe(`${name}: the contract of blobs`, () => {
    uploadContract(harness);
    readContract(harness);
    collectionContract(harness);
    damageContract(harness);
    if (harness.isShared) sharingContract(harness);
  });
}
