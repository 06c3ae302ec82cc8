import { counted } from "../../../ui/format.ts";
import type { Texts } from "../en/texts.ts";

export const counts: Texts["counts"] = {
  attempts: (count) => counted(count, "Versuch", "Versuche"),
  blobs: (count) => counted(count, "Blob", "Blobs"),
  browsers: (count) => counted(count, "Browser", "Browser"),
  clients: (count) => counted(count, "Client", "Clients"),
  customers: (count) => counted(count, "Auftraggeber", "Auftraggeber"),
  failedTasks: (count) => counted(count, "gescheiterte Aufgabe", "gescheiterte Aufgaben"),
  jobs: (count) => counted(count, "Auftrag", "Aufträge"),
  kernels: (count) => counted(count, "Kernel", "Kernel"),
  servers: (count) => counted(count, "Server", "Server"),
  slots: (count) => counted(count, "Slot", "Slots"),
  tasks: (count) => counted(count, "Aufgabe", "Aufgaben"),
};
