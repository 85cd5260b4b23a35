// Runs before anything is drawn, so that a chosen theme does not flash up as the other one.
(() => {
  try {
    const chosen = localStorage.getItem("lfm2-colbert-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // No storage: the system's theme.
  }
})();
