// Runs before the first paint, so that a chosen theme does not flash. A file of its own: the pages allow no inline scripts.
try {
  const theme = localStorage.getItem("qflow.theme");
  if (theme) document.documentElement.dataset.theme = JSON.parse(theme);
} catch {
  // Storage can be switched off; the system's theme is used then.
}
