/* Which colour, line and symbol is whose: a swatch, and a key of those that charts draw. */
(() => {
  const DASHES = { solid: "", dash: "8 4", dot: "3 3", dashdot: "8 3 2 3", longdash: "12 4", longdashdot: "12 3 2 3" };
  const element = (name, parent, attributes) => {
    const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", name));
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  page.swatch = (run) => {
    const svg = element("svg", document.createDocumentFragment(), { width: 28, height: 10, "aria-hidden": "true" });
    const line = element("line", svg, { x1: 0, x2: 28, y1: 5, y2: 5, "stroke-width": 3 });
    const paint = () => {
      const look = page.look(run);
      line.setAttribute("stroke", look.colour);
      line.setAttribute("stroke-dasharray", DASHES[look.dash]);
    };
    paint();
    page.onTheme(paint);
    return svg;
  };

  /* A list below `parent` of those of `all` that are on. */
  page.key = (parent, all) => {
    const items = all.map((run) => {
      const item = document.createElement("li");
      const name = document.createElement("bdi");
      name.textContent = page.nameOf(run);
      item.append(page.swatch(run), " ", name);
      parent.append(item);
      return { run, item };
    });
    const sift = () => items.forEach(({ run, item }) => { item.hidden = !page.isOn(run); });
    page.onRedraw(sift);
    sift();
  };
})();
