/** Whether a process of this machine is running. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive, but refuses the signal.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
