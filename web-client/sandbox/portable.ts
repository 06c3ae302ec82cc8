import { makePortable } from "../../shared/client/sandbox/portable/make-portable.ts";

// A worker imports this module before its kernel.
makePortable();
