/* PSNR against how real SR looks, with intervals, names and the Pareto front. */
(() => {
  const parent = page.byId("trade-charts");
  if (!parent) return;
  const bars = (points, at, ends) => ({
    type: "data", symmetric: false, thickness: 1, width: 3,
    array: points.map((one) => (one[ends][1] ?? one.at[at]) - one.at[at]), // null: without end
    arrayminus: points.map((one) => one.at[at] - (one[ends][0] ?? one.at[at])),
  });

  /* Where each name goes: beside its point, on no other name and no point; nowhere where there is no room. */
  const CORNERS = ["top right", "bottom right", "top left", "bottom left", "top center", "bottom center", "middle right", "middle left"];
  const places = (panel, names, width, height) => {
    const ends = [0, 1].map((at) => {
      const key = at ? "y" : "x";
      return [Math.min(...panel.points.map((one) => one[key][0] ?? one.at[at])), Math.max(...panel.points.map((one) => one[key][1] ?? one.at[at]))];
    });
    const pixel = (one) => {
      const [x, y] = [0, 1].map((at) => (one.at[at] - ends[at][0]) / (ends[at][1] - ends[at][0] || 1) * 0.9 + 0.05);
      return { x: x * width, y: (panel.better === "lower" ? y : 1 - y) * height };
    };
    const points = panel.points.map(pixel);
    const taken = points.map(({ x, y }) => [x - 6, y - 6, x + 6, y + 6]);
    const found = panel.points.map(() => null);
    const others = panel.points.map((_, at) => at).filter((at) => !panel.front.includes(at));
    for (const number of [...panel.front, ...others]) { // the front is named first
      if (!names[number]) continue;
      const { x, y } = points[number];
      const [wide, tall] = [names[number].length * 6.6, 15];
      const corner = CORNERS.find((where) => {
        const [vertical, side] = where.split(" ");
        const left = { right: x + 7, left: x - 7 - wide, center: x - wide / 2 }[side];
        const top = { top: y - 7 - tall, bottom: y + 7, middle: y - tall / 2 }[vertical];
        const box = [left, top, left + wide, top + tall];
        const isFree = left > 0 && left + wide < width && taken.every((other) => other[2] < box[0] || box[2] < other[0] || other[3] < box[1] || box[3] < other[1]);
        if (isFree) taken.push(box);
        return isFree;
      });
      found[number] = corner ?? null;
    }
    return found;
  };

  const panels = page.data("trade");
  page.key(page.byId("trade-key"), [...new Set(panels.flatMap((panel) => panel.points.map((one) => one.run)))]);
  for (const panel of panels) {
    const said = `${panel.upwards} against ${panel.across} of ${panel.points.length} runs; the table below has the values`;
    const figure = page.chart(parent, panel.title, said, () => {
      const names = panel.points.map((one) => (page.isOn(one.run) ? page.nameOf(one.run) : ""));
      const plot = figure.querySelector(".plot");
      const where = places(panel, names, plot.clientWidth - 70, plot.clientHeight - 55);
      const traces = panel.points.flatMap((one, at) => {
        if (!page.isOn(one.run)) return [];
        const look = page.look(one.run);
        const name = page.plain(names[at]);
        return [{
          type: "scatter", mode: where[at] ? "markers+text" : "markers", name, x: [one.at[0]], y: [one.at[1]],
          text: [name], textposition: where[at] ?? "top center",
          marker: { size: 9, color: look.colour, symbol: look.symbol },
          error_x: { ...bars([one], 0, "x"), color: look.colour }, error_y: { ...bars([one], 1, "y"), color: look.colour },
          hovertemplate: "%{x:.3f}, %{y:.4f}<extra>%{fullData.name}</extra>",
        }];
      });
      const front = panel.front.map((at) => panel.points[at]);
      traces.unshift({
        type: "scatter", mode: "lines", name: "Pareto front", hoverinfo: "skip",
        x: front.map((one) => one.at[0]), y: front.map((one) => one.at[1]),
        line: { dash: "dot", color: page.colour("faint"), width: 2 },
      });
      return {
        traces,
        layout: page.layout({
          xaxis: { title: { text: page.plain(panel.across) } },
          yaxis: { title: { text: page.plain(panel.upwards) }, autorange: panel.better === "lower" ? "reversed" : true },
        }),
      };
    }, "tall");
  }
})();
