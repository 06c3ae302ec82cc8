/*
 * The longest Collatz sequence that begins in a range of numbers.
 *
 *     clang --target=wasm32-wasi --sysroot=/usr -O2 -Wl,--strip-all -o collatz.wasm collatz.c
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  if (count != 3) return fputs("usage: collatz FROM TO\n", stderr), 2;
  int longest = 0;
  long long best = 0, to = atoll(arguments[2]);
  for (long long start = atoll(arguments[1]); start < to; start++) {
    int steps = 0;
    for (long long n = start; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    if (steps > longest) longest = steps, best = start;
  }
  printf("%lld takes %d steps\n", best, longest);
  return 0;
}
