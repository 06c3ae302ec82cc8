import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import { nothing, usedBytes, type OwnQuotas, type Quotas, type Usage } from "../store/quotas.ts";
import type { Store } from "../store/store.ts";

/** Usage and quota of a customer, or of every customer that keeps anything or has quotas of its own, by name. */
export async function readUsage(store: Store, customer?: string): Promise<UsageInfo[]> {
  const own = new Map(await store.listQuotas());
  const found =
    customer === undefined
      ? new Map([...[...own.keys()].map((name) => [name, nothing] as const), ...(await store.usages())])
      : new Map([[customer, await store.usage(customer)]]);
  return [...found]
    .map(([name, usage]) => infoOf(name, usage, store.quotas, own.get(name) ?? {}))
    .sort((a, b) => (a.customer < b.customer ? -1 : 1));
}

function infoOf(customer: string, usage: Usage, quotas: Quotas, ownQuota: OwnQuotas): UsageInfo {
  const { inputBytes: inputs, outputBytes: outputs, blobBytes: blobs, kernelBytes, ...counts } = usage;
  const total = usedBytes(usage);
  const quota = { ...quotas, ...ownQuota };
  return {
    customer,
    bytes: { inputs, outputs, blobs, kernels: kernelBytes, total },
    ...counts,
    quota,
    ownQuota,
    full: total >= quota.bytes,
  };
}
