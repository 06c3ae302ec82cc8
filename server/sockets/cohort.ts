import { isIPv4 } from "node:net";
import { ipKeyGenerator } from "express-rate-limit";

/** Providers give a household or office a /48 network of IPv6, or a part of one. */
const ipv6Prefix = 48;

/**
 * Name of a stranger's cohort (SPEC.md, "Strangers"): all strangers of its invitation or, without one, of its address prefix (/24 of
 * IPv4, /48 of IPv6).
 */
export function cohortOfStranger(tokenId: string | undefined, address: string): string {
  if (tokenId !== undefined) return `invitation ${tokenId}`;
  if (isIPv4(address)) return `${address.split(".").slice(0, 3).join(".")}.0/24`;
  return ipKeyGenerator(address, ipv6Prefix);
}
