// The panel with the same question from a program.

import { copy, make, rove, tell } from "./dom.js";
import { SNIPPETS, VARIABLE } from "./snippets.js";

/**
 * Draw the panel.
 *
 * @param {HTMLElement} root gets it.
 * @returns {function(Object): void} shows another question, see {@link SNIPPETS}.
 */
export function drawCopying(root) {
  const names = Object.keys(SNIPPETS);
  const code = make("code", {});
  const shown = make("pre", { tabindex: 0, dir: "ltr", role: "region", "aria-label": "Code" }, code);
  const panel = make("div", { id: "snippet", role: "tabpanel" });
  const button = make("button", { type: "button" }, "Copy");
  const note = make("p", { class: "hint" }, "It reads the key from ", make("code", {}, `$${VARIABLE}`), ".");
  const missing = make("p", { class: "hint", hidden: true }, "This server does not speak Cohere’s API.");
  let asked = null;

  const tabs = names.map((name, place) =>
    make("button", { type: "button", role: "tab", id: `tab-${place}`, "aria-controls": "snippet" }, name),
  );
  const choose = (chosen) => {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === chosen));
      tab.tabIndex = place === chosen ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${chosen}`);
    if (asked) code.textContent = SNIPPETS[names[chosen]](asked);
    missing.hidden = names[chosen] !== "Cohere" || asked?.paths?.includes("/v2/rerank") !== false;
    panel.dataset.chosen = chosen;
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(place));
    tab.addEventListener("focus", () => choose(place));
  });
  button.addEventListener("click", async () => {
    const done = await copy(code.textContent, code);
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    tell(done ? "Copied." : "It is selected: press Control and C.");
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });

  const list = make("div", { role: "tablist", class: "tabs", "aria-label": "Copy as" }, ...tabs);
  rove(list, () => tabs);
  panel.append(shown, make("div", { class: "line" }, button, note), missing);
  root.replaceChildren(list, panel);
  choose(0);
  return (given) => {
    asked = given;
    choose(Number(panel.dataset.chosen));
  };
}
