import { schedulerFaults } from "./scheduler.ts";
import { dispatchFaults } from "./dispatch.ts";
import { storeFaults } from "./store.ts";
import { blobsFaults } from "./blobs.ts";
import { serverFaults } from "./server.ts";
import { clientsFaults } from "./clients.ts";
import { commandsFaults } from "./commands.ts";
import { customerFaults } from "./customer.ts";
import { valuesFaults } from "./values.ts";
import type { PlantedFault } from "./fault.ts";

/** Faults of the kind that loses, doubles or delays work, reads wrong what was kept, or lets in who should stay outside. */
export const plantedFaults: readonly PlantedFault[] = [
  ...schedulerFaults,
  ...dispatchFaults,
  ...storeFaults,
  ...blobsFaults,
  ...serverFaults,
  ...clientsFaults,
  ...customerFaults,
  ...commandsFaults,
  ...valuesFaults,
];
