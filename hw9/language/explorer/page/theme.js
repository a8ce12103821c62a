// Light or dark: what the surroundings use, now and whenever they change.

/** The notebook's theme where it says so, else the system's. @returns {"light" | "dark"} */
export function surroundingTheme() {
  const jupyter = document.body.dataset.jpThemeLight;
  if (jupyter) return jupyter === "true" ? "light" : "dark";
  const code = ["vscode-light", "vscode-high-contrast-light", "vscode-dark", "vscode-high-contrast"];
  const named = code.find((name) => document.body.classList.contains(name));
  if (named) return named.includes("light") ? "light" : "dark";
  if (document.documentElement.getAttribute("theme") === "dark") return "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Call `changed` with the new theme of the surroundings, as long as `root` is on the page.
 * @param {HTMLElement} root @param {(theme: "light" | "dark") => void} changed
 */
export function followTheme(root, changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const look = () => {
    if (root.isConnected) return changed(surroundingTheme());
    watcher.disconnect();
    system.removeEventListener("change", look);
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { attributeFilter: ["data-jp-theme-light", "class"] });
  watcher.observe(document.documentElement, { attributeFilter: ["theme"] });
  system.addEventListener("change", look);
}
