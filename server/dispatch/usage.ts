import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import { usedBytes, type Quotas, type Usage } from "../store/quotas.ts";
import type { Store } from "../store/store.ts";

/** Usage and quota of a customer, or of every customer that keeps anything, by name. */
export async function readUsage(store: Store, customer?: string): Promise<UsageInfo[]> {
  if (customer !== undefined) return [infoOf(customer, await store.usage(customer), store.quotas)];
  const all = await store.usages();
  return all
    .map(([name, usage]) => infoOf(name, usage, store.quotas))
    .sort((a, b) => (a.customer < b.customer ? -1 : 1));
}

function infoOf(customer: string, usage: Usage, quotas: Quotas): UsageInfo {
  const { inputBytes: inputs, outputBytes: outputs, blobBytes: blobs, kernelBytes, ...counts } = usage;
  const total = usedBytes(usage);
  return {
    customer,
    bytes: { inputs, outputs, blobs, kernels: kernelBytes, total },
    ...counts,
    quota: quotas,
    full: total >= quotas.bytes,
  };
}
