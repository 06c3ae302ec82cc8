import type { Child } from "../runs/support/children.ts";
import type { Server } from "../runs/support/platform.ts";
import { memoryOfTree } from "./memory.ts";
import type { Tab } from "./tab.ts";

/** Measurements of a soak. */
export interface Watched {
  readonly server: Server;
  readonly node: Child | undefined;
  readonly tab: Tab | undefined;
}

const mib = 1024 ** 2;

/** Name of the part that is on disk and grows up to its quota. */
export const onDisk = "IndexedDB";

/** Memory of all parts now, in MiB. */
export async function measure({ server, node, tab }: Watched): Promise<Record<string, number>> {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const [main, ...auditors] = await memoryOfTree(server.pid);
  const measured: Record<string, number> = {
    server: main!.rss,
    auditor: sum(auditors.map(({ pss }) => pss)),
  };
  if (node) {
    const [client, ...sandboxes] = await memoryOfTree(node.pid);
    measured["node client"] = client!.rss;
    measured["its sandboxes"] = sum(sandboxes.map(({ pss }) => pss));
  }
  if (tab) {
    const processes = await memoryOfTree(tab.pid);
    const isRenderer = ({ command }: { command: string }): boolean => command.includes("--type=renderer");
    measured["tab's renderers"] = sum(processes.filter(isRenderer).map(({ pss }) => pss));
    measured["rest of browser"] = sum(processes.filter((one) => !isRenderer(one)).map(({ pss }) => pss));
    measured["tab's heap"] = (await tab.heapBytes()) / mib;
    measured[onDisk] = (await tab.storedBytes()) / mib;
  }
  return measured;
}
