import { counted } from "../../../ui/format.ts";

/** Things with their number. */
export const counts = {
  attempts: (count: number) => counted(count, "attempt", "attempts"),
  blobs: (count: number) => counted(count, "blob", "blobs"),
  browsers: (count: number) => counted(count, "browser", "browsers"),
  clients: (count: number) => counted(count, "client", "clients"),
  customers: (count: number) => counted(count, "customer", "customers"),
  failedTasks: (count: number) => counted(count, "failed task", "failed tasks"),
  jobs: (count: number) => counted(count, "job", "jobs"),
  kernels: (count: number) => counted(count, "kernel", "kernels"),
  servers: (count: number) => counted(count, "server", "servers"),
  slots: (count: number) => counted(count, "slot", "slots"),
  tasks: (count: number) => counted(count, "task", "tasks"),
};
