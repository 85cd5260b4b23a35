// The switch between dark and light, which follows the system until it is used.

const NAME = "lfm2-colbert-theme";

/** Have a button switch the theme, and remember it. */
export function drawThemeSwitch(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-checked", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(NAME, root.dataset.theme);
    } catch {
      // No storage: until the page is left.
    }
    show();
  });
  system.addEventListener("change", show);
  show();
}
