"use strict";
/* What all parts of the page share: its data, its state in the address, and its colours. */
const page = {};

(() => {
  page.data = (name) => JSON.parse(document.getElementById(`data-${name}`).textContent);
  page.byId = (id) => document.getElementById(id);
  page.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;

  /* The state is in the address behind a #, so that it lives through a reload and can be sent along. Browsers
     refuse an address that changes hundreds of times, as while a picture is dragged: of many only the last is written. */
  const [MOST, WITHIN_MS] = [10, 4000];
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const times = Array(MOST).fill(-Infinity);
  let waiting = null;
  const write = () => {
    clearTimeout(waiting);
    waiting = null;
    times.shift();
    times.push(performance.now());
    history.replaceState(null, "", `${state}` ? `#${state}` : location.pathname + location.search);
  };
  page.get = (key, otherwise) => state.get(key) ?? otherwise;
  page.set = (key, value) => {
    if (value === null || value === undefined || value === "") state.delete(key);
    else state.set(key, value);
    const waitMs = times[0] + WITHIN_MS - performance.now();
    if (waitMs <= 0) write();
    else waiting ??= setTimeout(write, waitMs);
  };

  /* A form element that stands for a key of the state. */
  page.bind = (element, key, listener) => {
    const isTick = element.type === "checkbox";
    const before = isTick ? element.checked : element.value;
    const known = page.get(key);
    if (known !== undefined && known !== null) {
      if (isTick) element.checked = known === "1";
      else element.value = known;
      if (!isTick && element.value !== known) element.value = before;
    }
    const keep = () => {
      const now = isTick ? element.checked : element.value;
      page.set(key, now === before ? null : isTick ? (now ? "1" : "0") : now);
      listener();
    };
    element.addEventListener(element.type === "search" || element.type === "range" ? "input" : "change", keep);
  };
  page.bindRadios = (name, key, listener) => {
    const radios = [...document.querySelectorAll(`input[name="${name}"]`)];
    const first = radios.find((one) => one.checked)?.value;
    for (const one of radios) {
      if (one.value === page.get(key)) one.checked = true;
      one.addEventListener("change", () => {
        page.set(key, one.value === first ? null : one.value);
        listener(one.value);
      });
    }
    return () => radios.find((one) => one.checked)?.value;
  };

  /* Links to sections keep the state: they move, and leave the address alone. */
  for (const link of document.querySelectorAll('nav a, a.skip')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const target = document.querySelector(link.getAttribute("href"));
      target.scrollIntoView({ behavior: page.reducedMotion ? "auto" : "smooth" });
      target.setAttribute("tabindex", "-1");
      target.focus({ preventScroll: true });
    });
  }

  const root = document.documentElement;
  root.classList.add("scripted");
  const changed = [];
  page.onTheme = (listener) => changed.push(listener);
  page.colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  page.isDark = () => getComputedStyle(root).colorScheme === "dark";
  page.themed = () => {
    for (const one of changed) one();
  };
  const theme = () => {
    root.dataset.theme = chosen();
    page.themed();
  };
  const chosen = page.bindRadios("theme", "theme", theme);
  root.dataset.theme = chosen();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);

  /* While runs go on the file is written again: load it again, but not under somebody's hands. */
  const every = Number(root.dataset.reloadS ?? 0);
  if (every) {
    const tick = page.byId("reload");
    page.bind(tick, "reload", () => {});
    let touched = 0;
    for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
      addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
    }
    /* What somebody has unfolded stays so; steps in a heading may have gone on, names have not. */
    const keyOf = (one) => {
      const text = [one.closest("section").id, ...[one.parentElement.closest("details"), one].map(
        (each) => each && (each.querySelector("summary bdi") ?? each.querySelector("summary")).textContent)].join();
      let hash = 0;
      for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 2 ** 32;
      return hash.toString(36);
    };
    const folds = [...document.querySelectorAll("details")].map((one) => ({ one, usual: one.open, key: keyOf(one) }));
    const changedFolds = new Set(page.get("open", "").split("."));
    for (const { one, usual, key } of folds) if (changedFolds.has(key)) one.open = !usual;
    setInterval(() => {
      if (tick.checked && !document.hidden && Date.now() - touched > 3000) {
        page.set("open", folds.filter(({ one, usual }) => one.open !== usual).map(({ key }) => key).join("."));
        write();
        location.reload();
      }
    }, every * 1000);
  }
})();
