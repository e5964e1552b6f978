// What a browser can check of a page's accessibility by itself, or of one shadow root in it. Evaluates to a list of complaints.
(root) => {
  const within = root ?? document;
  const complaints = [];
  const complain = (text, node) => complaints.push(`${text}: ${node?.outerHTML?.slice(0, 140) ?? ""}`);
  const shown = (node) => node.checkVisibility() && node.getBoundingClientRect().width > 0;
  const hidden = (node) => node.closest("[aria-hidden=true]") !== null;

  if (within === document) {
    if (!/^[a-z]{2}/.test(document.documentElement.lang)) complain("no language");
    if (!document.title) complain("no title");
    for (const role of ["main", "header"]) if (document.querySelectorAll(role === "main" ? "main" : "body > header").length !== 1) complain(`not one ${role}`);

    const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown);
    if (headings.filter((node) => node.tagName === "H1").length !== 1) complain("not one h1");
    headings.reduce((level, node) => {
      const own = Number(node.tagName[1]);
      if (own > level + 1) complain("skipped heading level", node);
      return own;
    }, 0);
  }

  const ids = [...within.querySelectorAll("[id]")].map((node) => node.id);
  if (new Set(ids).size !== ids.length) complain("an id twice");
  for (const node of within.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const name of ["aria-labelledby", "aria-describedby"])
      for (const id of (node.getAttribute(name) ?? "").split(/\s+/).filter(Boolean)) if (!within.getElementById(id)) complain(`${name} of nothing`, node);

  for (const node of within.querySelectorAll("input, select, textarea"))
    if (node.labels.length === 0 && !node.getAttribute("aria-label")) complain("field without label", node);
  for (const node of within.querySelectorAll("a[href], button, summary"))
    if (!hidden(node) && !(node.getAttribute("aria-label") || node.textContent.trim())) complain("control without name", node);
  for (const node of within.querySelectorAll("svg, img")) if (!hidden(node) && !node.getAttribute("aria-label") && !node.alt) complain("picture without text", node);
  for (const node of within.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) complain("positive tabindex", node);
  for (const node of within.querySelectorAll("[role=progressbar]")) if (!node.getAttribute("aria-label") || !node.hasAttribute("aria-valuenow")) complain("progress without name or value", node);
  for (const table of within.querySelectorAll("table")) {
    if (!table.caption?.textContent) complain("table without caption", table);
    for (const cell of table.querySelectorAll("th")) if (!cell.scope) complain("th without scope", cell);
    for (const cell of table.querySelectorAll("thead th")) if (!cell.textContent.trim()) complain("column without name", cell);
  }
  const live = [...within.querySelectorAll("[aria-live=assertive]")];
  if (live.length) complain("an assertive live region", live[0]);

  // Targets of at least 24 x 24 CSS pixels (WCAG 2.2, 2.5.8), links inside text aside.
  for (const node of within.querySelectorAll("button, input, summary, nav a")) {
    const box = node.getBoundingClientRect();
    if (shown(node) && (box.height < 24 || box.width < 24)) complain("target too small", node);
  }

  // Contrast (WCAG 2.2, 1.4.3) of each piece of text against the nearest opaque background.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (node) => {
    for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const texts = document.createTreeWalker(within.body ?? within, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(node) || hidden(node) || node.closest(".quiet-text, .skip, :disabled")) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [a, b] = [luminance(rgba(style.color)), luminance(background(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < (large ? 3 : 4.5)) complain(`contrast ${ratio.toFixed(2)}`, node);
  }
  return complaints;
};
