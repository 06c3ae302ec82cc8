import { randomText } from "./secret.ts";

/** Characters of a server's identifier. */
const idChars = 8;
const ticket = new RegExp(`^m_([a-z\\d]{${idChars}})_`);

/** A new identifier of a server's process. */
export function makeServerId(): string {
  return randomText(idChars);
}

/** A new ticket for the connection of a client, which names its server. */
export function makeTicket(server: string): string {
  return `m_${server}_${randomText(32)}`;
}

/** The server that made a ticket; undefined for another secret. */
export function serverOfTicket(secret: string): string | undefined {
  return ticket.exec(secret)?.[1];
}
