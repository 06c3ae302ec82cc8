/**
 * Code of both the page and the workers of its sandboxes, which the page hands to the workers (build/common-code.ts). A module named here
 * is shared as a whole, so each name that either side imports from it must be listed.
 */
export { expose, releaseProxy, transfer, wrap } from "comlink";
export {
  clip,
  dataFailure,
  describeThrown,
  isDataFailure,
} from "../../shared/client/sandbox/runner-failure.ts";
export { errorCodes, messageOf, PlatformError } from "../../shared/errors.ts";
export { limits } from "../../shared/limits.ts";
export { checkMessagePack, endOfMessagePack, messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
export { ownBytes, plainBytes } from "../../shared/wire/plain-bytes.ts";
export {
  isColumn,
  isDurationColumn,
  isPack,
  packValues,
  unpackValues,
} from "../../shared/wire/column-pack.ts";
export {
  checkEncodedValue,
  decode,
  decodeWithHeld,
  HeldValue,
  ValueReader,
} from "../../shared/wire/value-decoder.ts";
export { extensions, readReference } from "../../shared/wire/value-forms.ts";
export { keptBytes, Unfit, ValueEncoder } from "../../shared/wire/value-encoder.ts";
