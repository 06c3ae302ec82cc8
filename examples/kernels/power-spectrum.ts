/**
 * A kernel in a module of its own: it may import npm packages and other files, which are bundled with it at submission. The
 * input is a signal whose length is a power of two; the output is the power of its frequencies.
 */
import FFT from "fft.js";

export default function powerSpectrum(signal: Float32Array): Float32Array {
  const fft = new FFT(signal.length);
  const spectrum = fft.createComplexArray();
  fft.realTransform(spectrum, signal);
  const power = new Float32Array(signal.length / 2);
  for (let k = 0; k < power.length; k++) {
    const [real = 0, imaginary = 0] = [spectrum[2 * k], spectrum[2 * k + 1]];
    power[k] = real * real + imaginary * imaginary;
  }
  return power;
}
