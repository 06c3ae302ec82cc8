import { CallError } from "../abi.ts";
import type { Process } from "../process.ts";

/** The calls of sockets, which no descriptor is. */
export function socketCalls({ descriptors }: Process) {
  const refuse = (number: number): void => {
    descriptors.get(number);
    throw new CallError("notsock");
  };
  return { sock_accept: refuse, sock_recv: refuse, sock_send: refuse, sock_shutdown: refuse };
}
