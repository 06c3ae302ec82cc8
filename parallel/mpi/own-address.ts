import { lookup } from "node:dns/promises";
import { hostname, networkInterfaces } from "node:os";

/**
 * The address under which other nodes of a cluster reach this node: the address of its host name when a network of this machine has it
 * (Debian's 127.0.1.1 is no such address), else the address of its first network, else 127.0.0.1. `MANYHANDS_MPI_HOST` decides where a
 * node has several networks.
 */
export async function ownAddress(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const given = env["MANYHANDS_MPI_HOST"];
  if (given) return given;
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => address);
  const named = await lookup(hostname(), { family: 4 }).catch(() => undefined);
  return addresses.find((address) => address === named?.address) ?? addresses[0] ?? "127.0.0.1";
}
