// Light, dark, or as the system says. A classic script in the head, so that the page never flashes in the wrong one.
(() => {
  const KEY = "palio.theme";
  const ORDER = ["auto", "light", "dark"];
  const root = document.documentElement;
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  let theme = ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto";
  apply(theme);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.dataset.now = theme;
      button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}. Change`);
      button.title = `Colours: ${theme === "auto" ? "as the system" : theme}`;
    };
    name();
    button.addEventListener("click", () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      localStorage.setItem(KEY, theme);
      apply(theme);
      name();
    });
  });
})();
