import { isIPv4 } from "node:net";
import { ipKeyGenerator } from "express-rate-limit";

/** Households and offices are given /48 networks of IPv6, or parts of one. */
const ipv6Prefix = 48;

/**
 * The cohort of a stranger: the strangers that may be one person with it (SPEC.md, "Strangers"). Those of one invitation, or of one
 * address prefix (/24 of IPv4, /48 of IPv6).
 */
export function cohortOfStranger(tokenId: string | undefined, address: string): string {
  if (tokenId !== undefined) return `invitation ${tokenId}`;
  if (isIPv4(address)) return `${address.split(".").slice(0, 3).join(".")}.0/24`;
  return ipKeyGenerator(address, ipv6Prefix);
}
