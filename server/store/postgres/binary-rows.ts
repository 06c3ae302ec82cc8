import type { Client } from "pg";
import { Parser } from "pg-protocol/dist/parser.js";
import type { BackendMessage } from "pg-protocol/dist/messages.js";

/** Codes of messages: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const dataRow = 0x44;
const rowDescription = 0x54;
/** Bytes of the length, which counts itself. */
const lengthBytes = 4;
const nothing = -1;

/** The parts of the parser that turn one message into an object. */
interface MessageParser {
  handlePacket(offset: number, code: number, length: number, bytes: Buffer): BackendMessage;
}

/** The part of a connection that reads the stream, which becomes another one with TLS. */
interface Reading {
  attachListeners(stream: NodeJS.EventEmitter): void;
  emit(event: string, message: unknown): boolean;
}

/**
 * Lets a client that is not connected yet read columns in binary form. The parser of `pg` takes every column for UTF-8, which
 * destroys bytes that are none.
 * @returns whether a row has come this way, without which no statement may ask for the binary form
 */
export function readBinaryRows(client: Client): () => boolean {
  const connection = (client as unknown as { connection: Reading }).connection;
  let works = false;
  connection.attachListeners = (stream) => {
    const parser = new Parser();
    const messages = parser as unknown as MessageParser;
    const parse = messages.handlePacket.bind(parser);
    let binary: boolean[] = [];
    messages.handlePacket = (offset, code, length, buffer) => {
      if (code === dataRow) {
        works = true;
        return { name: "dataRow", length, fields: fieldsOf(buffer, offset, binary) } as BackendMessage;
      }
      const message = parse(offset, code, length, buffer);
      if (code === rowDescription)
        binary = (message as unknown as { fields: { format: string }[] }).fields.map(
          ({ format }) => format === "binary",
        );
      return message;
    };
    stream.on("data", (chunk: Buffer) =>
      parser.parse(chunk, (message) =>
        connection.emit(message.name === "error" ? "errorMessage" : message.name, message),
      ),
    );
  };
  return () => works;
}

/** The columns of a row: views of the bytes for those in binary form, which `pg` copies. */
function fieldsOf(buffer: Buffer, offset: number, binary: readonly boolean[]): (Buffer | string | null)[] {
  let at = offset + 2;
  return binary.map((isBinary) => {
    const length = buffer.readInt32BE(at);
    at += lengthBytes;
    if (length === nothing) return null;
    const end = at + length;
    const field = isBinary ? buffer.subarray(at, end) : buffer.toString("utf8", at, end);
    at = end;
    return field;
  });
}
