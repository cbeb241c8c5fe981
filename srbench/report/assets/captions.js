/* What stands beneath the panes of the viewer: whose picture it is, and what the place in sight is worth. */
(() => {
  const words = (psnr, plane) => (Number.isFinite(psnr) ? `PSNR ${plane} ${psnr.toFixed(2)} dB` : `equal to HR on ${plane}`);

  /* Scores of a layer at a place: at a crop those that came with it, with those of a plane that is looked at;
     elsewhere of what is in sight. */
  const scores = async (view, layer, plane, crop, sight) => {
    if (layer === view.layers[0]) return "the original";
    if (layer.scale) return `1/${layer.scale} of HR's size, enlarged by nearest neighbours`;
    const usual = layer.planes.includes("y") ? "y" : layer.planes[0];
    const wanted = layer.planes.includes(plane) ? plane : usual;
    const lacks = plane !== "colour" && plane !== wanted ? `. It has no plane ${plane}` : "";
    if (crop === null) return `${words(await page.psnr(view, layer, wanted, sight), wanted)}${lacks}`;
    const [top, left, height, width] = view.crops[crop].box;
    const own = wanted === usual ? "" : `; ${words(await page.psnr(view, layer, wanted, { left, top, width, height }), wanted)}`;
    return `${layer.crops[crop]}${own}${lacks}`;
  };

  /* The caption of a pane; `tell` says what the place in sight is worth, `front` which of two is in sight. */
  page.caption = (layers, sides) => {
    const element = document.createElement("figcaption");
    const lines = layers.map((layer, at) => {
      const line = document.createElement("div");
      const strong = document.createElement("strong");
      const name = document.createElement("bdi");
      const said = document.createElement("small");
      name.textContent = layer.label;
      strong.append(name);
      line.append(sides[at] ?? "", strong, " ", said);
      element.append(line);
      return { line, said, layer };
    });
    let asked = 0;
    return {
      element,
      tell: async (view, plane, crop, sight) => {
        asked += 1;
        const mine = asked;
        const found = await Promise.all(layers.map((layer) => scores(view, layer, plane, crop, sight)));
        if (mine === asked) lines.forEach(({ said }, at) => { said.textContent = found[at]; });
      },
      front: (which) => lines.forEach(({ line }, at) => line.classList.toggle("away", at !== which)),
    };
  };
})();
