/** The reason why a sandbox ended whose kernel held more than the job's `memoryMb`. @param usedMb - in MiB, as measured */
export function outgrown(usedMb: number, memoryMb: number): string {
  return `The kernel used ${usedMb} MiB; the job allows ${memoryMb} MiB (memoryMb).`;
}
