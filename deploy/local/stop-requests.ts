/**
 * Calls back when this process is asked to stop: by a signal, or because the process that started it is gone (its IPC
 * channel closes, whatever ended it).
 */
export function onStopRequest(stop: (reason: string) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
  if (process.channel) {
    process.on('disconnect', () => stop('its parent is gone'));
    process.channel.unref();
  }
  // Whoever reads the output may be gone first; what is left to say is then said to nobody.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
