/** Modules by name, so that the same ones give the same kernel. */
export function sortedByName(modules: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(modules).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The part of manyhands.py about errors and values, for the Python of a kernel. */
export function valuesOf(module: string): string {
  const sections = module.split(/^# -{100,}\n(?=# )/m);
  const section = (title: string): string => {
    const found = sections.find((text) => text.startsWith(`# ${title}\n`));
    if (found === undefined) throw new Error(`python/manyhands.py has no section "${title}".`);
    return found;
  };
  return `from __future__ import annotations

import functools
import math
import re
import struct
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

${section("Errors")}
${section("Values")}`;
}
