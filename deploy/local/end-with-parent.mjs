/**
 * Preloaded (`node --import`) into every process that must not outlive the one that started it. The IPC channel closes
 * when the parent is gone, however it went, SIGKILL included; then this process is asked to stop as by its operator,
 * and is ended by force when it has not done so in time.
 */
const DEADLINE_MS = 10_000;

if (process.channel) {
  process.on('disconnect', () => {
    // A parent that stops its children in order disconnects nobody: this is only ever a parent that died.
    // A process that sees to it by itself is not asked twice: it would take the second request for "at once".
    if (process.listenerCount('disconnect') === 1) process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), DEADLINE_MS).unref();
  });
  // The listener above holds the channel open, which would keep a process alive that has nothing left to do.
  process.channel.unref();
}
