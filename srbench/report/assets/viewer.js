/* The picture viewer: panes that show one place, a wipe between two, and a blink. */
(() => {
  const views = page.data("pictures");
  const panes = page.byId("panes");
  if (!panes) return;
  const select = page.byId("view");
  views.forEach((view, at) => select.append(new Option(view.title, at)));
  let view = views[0];
  let place = { x: 0, y: 0, zoom: 1 }; // the middle in pixels of HR; zoom 1 shows all of it
  let shown = []; // { canvas, caption, layers }
  let isOther = false;

  const overlay = page.byId("overlay");
  const wipe = page.byId("wipe");
  const first = page.byId("first");
  const second = page.byId("second");
  const blinking = page.byId("blinking");

  /* Paint what stands in memory onto the panes. */
  const paint = () => {
    for (const { canvas, pictures } of shown) {
      if (!pictures) continue;
      const context = canvas.getContext("2d");
      const { width, height } = canvas;
      const scale = fit(canvas) * place.zoom;
      context.imageSmoothingEnabled = false;
      context.clearRect(0, 0, width, height);
      const put = (picture, from, to) => {
        context.save();
        context.beginPath();
        context.rect(from, 0, to - from, height);
        context.clip();
        context.drawImage(picture, width / 2 - place.x * scale, height / 2 - place.y * scale, view.width * scale, view.height * scale);
        context.restore();
      };
      if (pictures.length === 1) put(pictures[0], 0, width);
      else if (mode() === "blink") put(pictures[isOther ? 1 : 0], 0, width);
      else {
        const border = Math.round((width * wipe.value) / 100);
        put(pictures[0], 0, border);
        put(pictures[1], border, width);
        context.fillStyle = page.colour("accent");
        context.fillRect(border - 1, 0, 2, height);
      }
      if (mode() !== "panes") showFront();
      frame(context, canvas, scale);
      canvas.dataset.place = `${place.x.toFixed(1)},${place.y.toFixed(1)},${place.zoom.toFixed(2)}`;
    }
  };
  /* Where the crops lie: the one that is looked at, or all of them. */
  const frame = (context, { width, height }, scale) => {
    const at = cropAt();
    const framed = at === null ? view.crops : [view.crops[at]];
    for (const [colour, thick] of [["#ffffff", 3], [page.colour("accent"), 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick * devicePixelRatio;
      for (const { box: [top, left, tall, wide] } of framed) {
        context.strokeRect(width / 2 + (left - place.x) * scale, height / 2 + (top - place.y) * scale, wide * scale, tall * scale);
      }
    }
  };
  /* Of two that blink, which is in sight; a wipe shows both. */
  const showFront = () => {
    for (const { canvas, caption, layers } of shown) {
      const names = layers.map((one) => one.label);
      const isBlink = mode() === "blink";
      if (isBlink) caption.front(isOther ? 1 : 0);
      canvas.setAttribute("aria-label", `${isBlink ? names[isOther ? 1 : 0] : names.join(" and ")} of ${view.title}`);
    }
  };
  let asked = false;
  const repaint = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; paint(); });
  };

  const fit = (canvas) => Math.min(canvas.width / view.width, canvas.height / view.height);
  const clamp = () => {
    place.zoom = Math.min(Math.max(place.zoom, 1), Math.max(view.width, view.height) / 8);
    const reach = (side) => side / 2 / place.zoom;
    place.x = Math.min(Math.max(place.x, reach(view.width)), view.width - reach(view.width));
    place.y = Math.min(Math.max(place.y, reach(view.height)), view.height - reach(view.height));
  };
  /* To a place: a crop's by its number, or one of the user's own, whose scores are of what is in sight. */
  let telling = null;
  const moved = (crop = null) => {
    clamp();
    page.set("crop", crop);
    page.set("place", crop === null ? [place.x, place.y, place.zoom].map((one) => one.toFixed(2)).join(",") : null);
    said();
    repaint();
    clearTimeout(telling);
    telling = setTimeout(tell, 150);
  };
  const goTo = (x, y, zoom, crop) => {
    place = { x, y, zoom };
    moved(crop);
  };
  const sight = () => {
    const { canvas } = shown[0];
    const ends = (middle, side, pixels) => {
      const half = pixels / (fit(canvas) * place.zoom) / 2;
      return [Math.max(0, Math.round(middle - half)), Math.min(side, Math.round(middle + half))];
    };
    const [left, right] = ends(place.x, view.width, canvas.width);
    const [top, bottom] = ends(place.y, view.height, canvas.height);
    return { left, top, width: right - left, height: bottom - top };
  };
  const tell = () => {
    for (const { caption } of shown) caption.tell(view, plane(), cropAt(), sight());
  };
  const zoomAt = (factor, canvas, offsetX, offsetY) => {
    const before = place.zoom;
    place.zoom = Math.min(Math.max(before * factor, 1), Math.max(view.width, view.height) / 8);
    if (canvas) { // the pixel under the pointer stays there
      const unit = fit(canvas) * (canvas.clientWidth / canvas.width);
      place.x += (offsetX - canvas.clientWidth / 2) / unit * (1 / before - 1 / place.zoom);
      place.y += (offsetY - canvas.clientHeight / 2) / unit * (1 / before - 1 / place.zoom);
    }
    moved();
  };

  const listen = (canvas) => {
    const fingers = new Map();
    const distance = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("wheel", (event) => {
      if (place.zoom === 1 && event.deltaY > 0) return; // all is shown: the page scrolls
      event.preventDefault();
      zoomAt(Math.exp(-event.deltaY / 400), canvas, event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const from = fingers.get(event.pointerId);
      if (!from) return;
      const before = fingers.size === 2 ? distance() : 0;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const unit = fit(canvas) * (canvas.clientWidth / canvas.width) * place.zoom * fingers.size;
      place.x -= (event.clientX - from.x) / unit;
      place.y -= (event.clientY - from.y) / unit;
      if (fingers.size === 2) zoomAt(distance() / before);
      else moved();
    });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("keydown", (event) => {
      const stride = 0.1 / place.zoom;
      const act = {
        ArrowLeft: () => { place.x -= view.width * stride; moved(); },
        ArrowRight: () => { place.x += view.width * stride; moved(); },
        ArrowUp: () => { place.y -= view.height * stride; moved(); },
        ArrowDown: () => { place.y += view.height * stride; moved(); },
        "+": () => zoomAt(1.25), "=": () => zoomAt(1.25), "-": () => zoomAt(0.8),
        0: () => goTo(view.width / 2, view.height / 2, 1), b: other,
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  };

  const cropAt = () => {
    const at = Number(page.get("crop", "-1"));
    return view.crops[at] ? at : null;
  };

  const pane = (layers) => {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${layers.map((one) => one.label).join(" and ")} of ${view.title}`);
    const caption = page.caption(layers, mode() === "wipe" ? ["left: ", "right: "] : []);
    figure.append(canvas, caption.element);
    panes.append(figure);
    listen(canvas);
    return { canvas, caption, layers };
  };

  const measure = () => {
    for (const { canvas } of shown) {
      const wide = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
      const ratio = Math.min(view.height / view.width, 1.2);
      if (canvas.width !== wide) {
        canvas.width = wide;
        canvas.height = Math.round(wide * ratio);
      }
    }
    repaint();
  };

  const show = () => {
    const isPair = mode() !== "panes";
    page.byId("pair").hidden = !isPair;
    page.byId("wipe-label").hidden = mode() !== "wipe";
    page.byId("blink").hidden = page.byId("blinking-label").hidden = mode() !== "blink";
    page.byId("scale-of-colours").hidden = overlay.value !== "detail";
    panes.classList.toggle("pair", isPair);
    panes.classList.toggle("blink", mode() === "blink");
    panes.replaceChildren();
    const layers = isPair ? [[view.layers[first.value], view.layers[second.value]]] : view.layers.map((one) => [one]);
    shown = layers.map(pane);
    measure();
    tell();
    for (const one of shown) {
      Promise.all(one.layers.map((layer) => page.painted(view, layer, plane(), overlay.value))).then((pictures) => {
        one.pictures = pictures;
        one.canvas.dataset.ready = "1";
        repaint();
      });
    }
  };

  const crops = page.byId("crops");
  const look = (at) => {
    const crop = view.crops[at];
    if (crop) {
      const [top, left, height, width] = crop.box;
      goTo(left + width / 2, top + height / 2, Math.min(view.width / width, view.height / height), at);
    } else goTo(view.width / 2, view.height / 2, 1);
  };
  const said = () => {
    const at = cropAt();
    const why = at === null
      ? `Scores are of what is in sight${view.crops.length ? "; frames are the crops" : ""}.`
      : `Crop ${at + 1}: ${view.crops[at].why}. Scores are of what is in the frame.`;
    if (page.byId("why").textContent !== why) page.byId("why").textContent = why;
    [...crops.children].forEach((one, number) => one.setAttribute("aria-pressed", String(number === at)));
  };

  const begin = () => {
    view = views[select.value] ?? views[0];
    crops.replaceChildren(...view.crops.map((_, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Crop ${at + 1}`;
      button.addEventListener("click", () => look(at));
      return button;
    }));
    for (const [list, key, usual] of [[first, "first", 2], [second, "second", 0]]) {
      const known = page.get(key);
      list.replaceChildren(...view.layers.map((layer, at) => new Option(layer.label, at)));
      list.value = view.layers[known] ? known : Math.min(key === "first" && view.layers.length > 3 ? 3 : usual, view.layers.length - 1);
    }
  };
  const other = () => {
    isOther = !isOther;
    repaint();
  };

  const mode = page.bindRadios("mode", "mode", show);
  const plane = page.bindRadios("plane", "plane", show);
  page.bind(overlay, "overlay", show);
  page.bind(wipe, "wipe", repaint);
  page.bind(select, "view", () => {
    begin();
    look(0);
    show();
  });
  begin();
  for (const [list, key] of [[first, "first"], [second, "second"]]) {
    list.addEventListener("change", () => { page.set(key, list.value); show(); });
  }
  page.byId("closer").addEventListener("click", () => zoomAt(1.25));
  page.byId("farther").addEventListener("click", () => zoomAt(0.8));
  page.byId("whole").addEventListener("click", () => {
    goTo(view.width / 2, view.height / 2, 1);
  });
  page.byId("blink").addEventListener("click", other);
  setInterval(() => { if (blinking.checked && mode() === "blink") other(); }, 800);

  const kept = page.get("place");
  const known = kept ? kept.split(",").map(Number) : [];
  const start = () => {
    if (known.length === 3 && known.every(Number.isFinite)) goTo(...known);
    else look(cropAt() ?? 0);
    show();
  };
  new ResizeObserver(() => { measure(); if (shown.length) tell(); }).observe(panes);
  page.onTheme(repaint);
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    start();
  }, { rootMargin: "400px" });
  seen.observe(panes); // decoded when somebody comes near, or after all else: paper shows them too
  addEventListener("load", () => setTimeout(() => { if (!shown.length) { seen.disconnect(); start(); } }, 1000));
})();
