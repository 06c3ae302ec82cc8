import type { CustomTypesConfig, FieldDef } from "pg";

/** Types of columns, by the numbers that PostgreSQL gives them: https://www.postgresql.org/docs/current/datatype-oid.html */
const [boolean, bytes, int8, int2, int4, text, oid, varchar, numeric] = [
  16, 17, 20, 21, 23, 25, 26, 1043, 1700,
];

const fromText: Record<number, (value: string) => unknown> = {
  [boolean]: (value) => value === "t",
  [bytes]: (value) => plainBytes(Buffer.from(value.slice(2), "hex")),
  [int8]: Number,
  [int2]: Number,
  [int4]: Number,
  [oid]: Number,
  [numeric]: Number,
};

const fromBinary: Record<number, (value: Buffer) => unknown> = {
  [boolean]: (value) => value[0] === 1,
  [bytes]: plainBytes,
  [int8]: (value) => Number(value.readBigInt64BE()),
  [int2]: (value) => value.readInt16BE(),
  [int4]: (value) => value.readInt32BE(),
  [oid]: (value) => value.readUInt32BE(),
  [text]: (value) => value.toString(),
  [varchar]: (value) => value.toString(),
};

const asText = (value: string): string => value;

/** Reads columns in both forms in which PostgreSQL sends them. */
export const types: CustomTypesConfig = {
  getTypeParser: ((type: number, form: "text" | "binary") =>
    form === "binary" ? fromBinary[type] : (fromText[type] ?? asText)) as CustomTypesConfig["getTypeParser"],
};

/** Whether rows with these columns are better sent in binary form: bytes then take half the room, and are not decoded. */
export function isBinary(fields: readonly FieldDef[]): boolean {
  return (
    fields.some(({ dataTypeID }) => dataTypeID === bytes) &&
    fields.every(({ dataTypeID }) => fromBinary[dataTypeID] !== undefined)
  );
}

function plainBytes({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
