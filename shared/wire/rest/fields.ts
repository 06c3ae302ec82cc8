import * as v from "valibot";

/**
 * Shapes of the REST interface, defined once: the server validates with them, the SDK takes its types from them, and
 * `/api/openapi.json` is made from them. Values (inputs, outputs) are in JSON as shared/wire/value-json.ts writes them; in
 * MessagePack bodies they are opaque encoded bytes, or `{sha256, size}` of the blob that holds the encoded bytes.
 *
 * A request has these properties and no other. A reply may have others, which a later version of the server adds, and those
 * that 0.2.0 does not have are optional (SPEC.md [UPGRADE-3]).
 */

export const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
export const integer = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
