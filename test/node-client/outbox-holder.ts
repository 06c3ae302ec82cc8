/** A client that keeps one result and stays until it is killed. */
import { claimClientDirectory } from "../../node-client/client-directory.ts";
import { createDiskOutbox } from "../../node-client/disk-outbox.ts";
import { makeIdentity } from "../support/identity.ts";
import type { JobId } from "../../shared/ids.ts";

const claimed = claimClientDirectory(process.argv[2]!, () => undefined);
await createDiskOutbox(claimed, () => undefined).save([
  {
    job: "j_abcdefghij234567" as JobId,
    result: {
      index: 7,
      attempt: 1,
      elapsedMs: 1.5,
      outcome: { state: "done", output: new Uint8Array(3).fill(7) },
    },
  },
]);
const identity = makeIdentity();
claimed.keep(["http://lab.test/"], identity);
process.send!(identity);
setInterval(() => undefined, 1000);
