import { describe, expect, it } from "vitest";
import { judge, trendOf } from "../../bench/soak/trend.ts";

describe("the trend of a soak", () => {
  it("is the slope of a line, with no error where points are on it", () => {
    const { slope, error } = trendOf([0, 1, 2, 3].map((minute) => [minute, 100 + 7 * minute]));
    expect(slope).toBeCloseTo(7);
    expect(error).toBeCloseTo(0);
  });

  it("has the standard error of least squares", () => {
    // Residuals -1/3, 2/3, -1/3 around y = x - 1/3: sqrt((6/9) / 1 / 2).
    const { slope, error } = trendOf([
      [0, 0],
      [1, 1 + 0.5],
      [2, 2],
    ]);
    expect(slope).toBeCloseTo(1);
    expect(error).toBeCloseTo(Math.sqrt(1 / 6 / 2));
  });

  it.each([
    [[100, 107, 114, 121], "grows"],
    [[100, 100.1, 99.9, 100], "level"],
    [[100, 150, 90, 160], "unclear"],
    [[100, 200], "unclear"],
    [[100], "unclear"],
  ] as const)("of %j is judged: %s", (values, verdict) => {
    expect(judge(trendOf(values.map((value, minute) => [minute, value])), 1)).toBe(verdict);
  });
});
