// Light, dark or as the device says. A classic script in the head, so that no page is painted in the wrong colours.
(() => {
  const KEY = "confr-theme";
  const device = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // the browser keeps nothing for us
    }
  };
  let choice = stored() || "auto";

  function apply() {
    const theme = choice === "auto" ? (device.matches ? "dark" : "light") : choice;
    document.documentElement.setAttribute("data-bs-theme", theme);
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    choice = button.dataset.themeChoice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // then it holds for this page
    }
    apply();
  });
  device.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    choice = stored() || "auto";
    apply();
  });
  document.addEventListener("DOMContentLoaded", apply);
  apply();
})();
