import * as v from "valibot";
import { integer } from "./fields.ts";

/** Header that names the next page of a list of jobs, as `cursor` of the query; absent on the last page. */
export const nextCursorHeader = "Next-Cursor";

/** Number of items that a query asks for. */
export const pageLength = (max: number) =>
  v.optional(v.pipe(v.string(), v.digits("expected a whole number"), v.toNumber(), integer(1, max)));
