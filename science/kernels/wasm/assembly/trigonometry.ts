// Trigonometry of AssemblyScript's library (musl's), which is plain arithmetic and therefore exact to the bit on every machine.

export function sine(angle: f64): f64 {
  return NativeMath.sin(angle);
}

export function cosine(angle: f64): f64 {
  return NativeMath.cos(angle);
}

export function arcTangent(y: f64, x: f64): f64 {
  return NativeMath.atan2(y, x);
}
