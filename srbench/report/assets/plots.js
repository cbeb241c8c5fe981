/* What the charts share: which runs are on, how a run looks, and that a chart is drawn when it comes near. */
(() => {
  const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#7F7F7F"];
  const DARK = ["#4DA3E0", "#F08A3C", "#2FC79B", "#E29CC4", "#F2C14E", "#8FD0F5", "#B39BDB", "#B5B5B5"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
  const PATTERNS = ["", "/", "x", "\\", ".", "-"]; // of bars, which have no dashes
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "pentagon"];
  page.runs = page.data("runs");

  const numbers = new Map(page.runs.flatMap((run, at) => (run.baseline ? [] : [at])).map((at, number) => [at, number]));
  page.look = (which) => {
    if (which === "HR") return { colour: page.colour("ink"), dash: "solid", pattern: "", symbol: "star" };
    const run = numbers.get(which);
    if (run === undefined) return { colour: page.colour("faint"), dash: "dot", pattern: "", symbol: "star" };
    const turn = Math.floor(run / PALETTE.length);
    return {
      colour: (page.isDark() ? DARK : PALETTE)[run % PALETTE.length],
      dash: DASHES[turn % DASHES.length],
      pattern: PATTERNS[turn % PATTERNS.length],
      symbol: SYMBOLS[(run + turn) % SYMBOLS.length],
    };
  };

  /* plotly reads a few tags and entities in its texts. Names are text, each with its own direction. */
  page.plain = (text) => `\u2068${String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")}\u2069`;
  page.nameOf = (run) => (typeof run === "number" ? page.runs[run].label : run);

  const given = page.get("runs");
  const on = new Set(given === null || given === undefined
    ? page.runs.flatMap((run, at) => (run.on ? [at] : []))
    : given.split(".").filter(Boolean).map(Number).filter((at) => at < page.runs.length));
  page.isOn = (run) => typeof run !== "number" || page.runs[run].baseline || on.has(run);
  page.switchRun = (run, isOn) => (isOn ? on.add(run) : on.delete(run));
  page.keepRuns = () => {
    const usual = page.runs.every((run, at) => run.on === on.has(at));
    page.set("runs", usual ? null : [...on].sort((a, b) => a - b).join(".") || ".");
    page.redraw();
  };

  page.layout = (more) => {
    const axis = { gridcolor: page.colour("line"), zerolinecolor: page.colour("line"), linecolor: page.colour("faint"), automargin: true };
    const { xaxis, yaxis, ...rest } = more;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: page.colour("ink"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 56, r: 12, t: 8, b: 44 }, showlegend: false, hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // fingers scroll the page
      autosize: true, uirevision: "kept", hoverlabel: { namelength: -1 }, xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
    };
  };

  const charts = [];
  const followers = [];
  let isPrinting = false;
  page.onRedraw = (listener) => followers.push(listener);
  const draw = (chart) => {
    const { traces, layout } = chart.make();
    chart.isDrawn = true;
    if (isPrinting) Object.assign(layout, { width: chart.plot.clientWidth, height: chart.plot.clientHeight });
    Plotly.react(chart.plot, traces, layout, {
      responsive: true, displaylogo: false, displayModeBar: false, showTips: false, scrollZoom: false,
    });
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const chart = charts.find((one) => one.plot === entry.target);
      chart.isNear = entry.isIntersecting;
      if (chart.isNear && !chart.isDrawn) draw(chart);
    }
  }, { rootMargin: "200px" });
  page.redraw = () => {
    for (const one of followers) one();
    for (const chart of charts) {
      chart.isDrawn = false;
      if (chart.isNear) draw(chart);
    }
  };
  page.onTheme(page.redraw);

  /* On paper all charts are drawn, in its width and colours; plotly does not see that by itself. */
  const print = (isOn) => () => {
    isPrinting = isOn;
    document.documentElement.classList.toggle("printing", isOn);
    page.themed();
    for (const chart of charts) if (isOn && chart.plot.offsetParent) draw(chart);
  };
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));

  /* A chart below `parent`; `make` gives its traces and layout when they are asked for. */
  page.chart = (parent, title, said, make, kind = "") => {
    const figure = document.createElement("figure");
    figure.className = `chart ${kind}`;
    const caption = document.createElement("figcaption");
    const name = document.createElement("bdi");
    name.textContent = title;
    caption.append(name);
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", said);
    figure.append(caption, plot);
    parent.append(figure);
    charts.push({ plot, make, isNear: false, isDrawn: false });
    near.observe(plot);
    return figure;
  };
})();
