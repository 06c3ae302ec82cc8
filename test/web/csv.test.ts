import { expect, it } from "vitest";
import { readCsv } from "../../web-client/admin/csv.ts";

it.each<[string, string[][]]>([
  ["", []],
  ["a", [["a"]]],
  [
    "a,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "a,\r\n,b\r\n\r\n",
    [
      ["a", ""],
      ["", "b"],
    ],
  ],
  ['"x, ""y""\nz",2', [['x, "y"\nz', "2"]]],
  ['"never ended', [['"never ended']]],
])("[ATTACH-2] reads the table %j", (text, rows) => {
  expect(readCsv(text)).toEqual(rows);
});
