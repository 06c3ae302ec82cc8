import { describe, expect, it } from "vitest";
import type { Statement, Verify } from "../../shared/wire/rest/verification.ts";
import { statementText } from "../../shared/wire/statement-text.ts";

function say(statement: Partial<Statement>, verify: Verify = "audit"): string | undefined {
  const none = {
    strangers: 0,
    audited: 0,
    unverified: 0,
    checked: 0,
    wrong: 0,
    withdrawn: 0,
    irreproducible: false,
  };
  return statementText({ verify, statement: { ...none, ...statement } });
}

describe("[VERIFY-11] the statement as a sentence", () => {
  it("tells how many were audited, and the bound that follows", () => {
    expect(say({ strangers: 412, audited: 52 })).toBe(
      "412 results of volunteers: 52 audited, 0 wrong; fewer than 5.8 % wrong (95 %)",
    );
    expect(say({ strangers: 1_000_000, audited: 30_000, wrong: 2, withdrawn: 40 })).toBe(
      "1,000,000 results of volunteers: 30,000 audited, 2 wrong, 40 withdrawn; fewer than 0.01 % wrong (95 %)",
    );
    expect(say({ strangers: 9, audited: 4, unverified: 0, checked: 9 })).toBe(
      "9 results of volunteers: 4 audited, 9 checked, 0 wrong; fewer than 75 % wrong (95 %)",
    );
  });

  it("rounds the bound up, and tells none where 3/k says nothing", () => {
    expect(say({ strangers: 900, audited: 299 })).toContain("fewer than 1.1 % wrong");
    expect(say({ strangers: 900, audited: 7 })).toContain("fewer than 43 % wrong");
    expect(say({ strangers: 3, audited: 3 })).toBe("3 results of volunteers: 3 audited, 0 wrong");
  });

  it("says nothing of jobs without results of volunteers", () => {
    expect(say({})).toBeUndefined();
    expect(say({}, "off")).toBeUndefined();
  });

  it("tells what was not verified, and what was withdrawn before anything was accepted", () => {
    expect(say({ strangers: 1 }, "off")).toBe("1 result of volunteers, not verified");
    expect(say({ strangers: 500, audited: 40 }, "off")).toBe(
      "500 results of volunteers: 40 audited, 0 wrong; not verified any more",
    );
    expect(say({ strangers: 5 })).toBe("5 results of volunteers, none of them audited");
    expect(say({ wrong: 1, withdrawn: 5 })).toBe("0 results of volunteers: 0 audited, 1 wrong, 5 withdrawn");
  });

  it("says of a kernel that is not reproducible what to do", () => {
    expect(say({ strangers: 5, irreproducible: true })).toMatch(/not reproducible.*compare.*quorum.*off/);
  });
});
