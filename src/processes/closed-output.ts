/** Makes a process outlive the readers of what it prints: `qflow … | head`, or a parent that is gone. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
