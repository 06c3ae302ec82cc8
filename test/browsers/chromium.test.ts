import { testPagesIn } from "../contract/browser.ts";

testPagesIn("chromium");
