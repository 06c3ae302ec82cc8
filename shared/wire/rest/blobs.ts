import * as v from "valibot";
import { sha256Schema } from "../../ids.ts";

/** Header of the reply to HEAD for a blob that is the caller's own; an admin sees others as well. */
export const ownBlobHeader = "X-Own-Blob";

export const kernelInfoSchema = v.object({ sha256: sha256Schema, size: v.number() });
