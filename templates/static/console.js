// What the console's pages do beyond links and forms: live state, charts, copy buttons, menus. Everything works without it.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const grouped = new Intl.NumberFormat("en-US").format;
  const iso = (ms) => new Date(ms).toISOString();

  // Live state: exactly one of the sentences inside #live-state is shown.
  const main = document.querySelector("main[hx-sse\\:connect]");
  const stateBox = byId("live-state");
  const RETRY_MS = 2500;
  const ENDED = [401, 403, 404];
  let connection = null;
  let stopped = null;
  let retry = 0;

  function show(state) {
    if (!stateBox || stateBox.dataset.state === state) return;
    stateBox.dataset.state = state;
    for (const sentence of all("[data-when]", stateBox)) {
      if (sentence.dataset.sentence) sentence.textContent = sentence.dataset.sentence.replace("{time}", stateBox.dataset.time);
      sentence.hidden = sentence.dataset.when !== state;
    }
    const toggle = byId("live-toggle");
    const halted = state === "paused" || state === "elsewhere";
    toggle.hidden = state === "gone";
    for (const label of all("[data-when]", toggle)) label.hidden = (label.dataset.when === "stopped") !== halted;
    byId("live-sign-in").hidden = state !== "gone";
  }

  function stop(state) {
    stopped = state;
    clearTimeout(retry);
    show(state);
    connection?.reader?.cancel();
    connection?.delayCanceller?.();
  }

  function connect() {
    stopped = null;
    clearTimeout(retry);
    htmx.ajax("GET", main.getAttribute("hx-sse:connect"), { source: main, swap: "none" });
  }

  // The extension retries what it once reached; a first request that failed is ours to repeat.
  function failed(status) {
    if (ENDED.includes(status)) return stop("gone");
    show("reconnecting");
    if (connection || stopped) return;
    clearTimeout(retry);
    retry = setTimeout(connect, RETRY_MS * (0.5 + Math.random()));
  }

  function follow() {
    main.addEventListener("htmx:sse:before:connection", (event) => {
      if (stopped) return event.preventDefault();
      if (connection) show("reconnecting");
      connection = event.detail.connection;
    });
    main.addEventListener("htmx:sse:before:message", (event) => {
      const { id, event: name } = event.detail.message;
      if (stopped) return event.preventDefault();
      if (id) stateBox.dataset.time = iso(Number(id)).slice(11, 19);
      if (!name || name === "chart") show("live");
    });
    main.addEventListener("htmx:sse:error", (event) => {
      const status = event.detail.status;
      if (!stopped) ENDED.includes(status) ? stop("gone") : show("reconnecting");
    });
    main.addEventListener("htmx:sse:close", () => { connection = null; });
    main.addEventListener("htmx:response:error", (event) => failed(event.detail.ctx.response.status));
    main.addEventListener("htmx:error", () => failed(0));
    for (const name of ["gone", "elsewhere"]) main.addEventListener(name, () => stop(name));
    main.addEventListener("stale", () => show("stale"));
    const toggle = byId("live-toggle");
    toggle.hidden = false;
    toggle.addEventListener("click", () => (stopped ? connect() : stop("paused")));
  }

  // Chart: uPlot over the numbers the server drew; axis marks come with them, so the swap moves nothing.
  const HEIGHT = 240;
  const box = byId("usage-chart");
  const first = box?.querySelector("svg.first");
  const readout = byId("usage-readout");
  let plot = null;
  let data = null;

  const colour = (name) => getComputedStyle(document.querySelector(`.probe-${name}`)).color;
  const axisLabel = (ms) => (ms % 86400000 === 0 ? iso(ms).slice(5, 10) : iso(ms).slice(11, 16));

  function columns() {
    const part = (keep) => data.units.map((units, index) => (units && keep(index) ? units : null));
    return [
      data.units.map((_, index) => data.from + data.step * (index + 0.5)),
      data.units.map((_, index) => data.before[index] || null),
      part((index) => index < data.complete),
      part((index) => index >= data.complete),
    ];
  }

  function hatch() {
    const size = 8 * devicePixelRatio;
    const tile = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const pen = tile.getContext("2d");
    pen.fillStyle = colour("soft");
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = colour("bar");
    pen.lineWidth = size / 4;
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift - size / 4, size * 1.25);
      pen.lineTo(shift + size * 1.25, -size / 4);
    }
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  }

  function read(index) {
    const at = data.units.length - 1 < index || index == null ? data.units.length - 1 : index;
    const start = iso(data.from + data.step * at).slice(0, 16).replace("T", " ");
    const parts = [grouped(data.units[at]), data.step === 86400000 ? start.slice(0, 10) : `${start} UTC`];
    if (at < data.before.length) parts.push(`${readout.dataset.before} ${grouped(data.before[at])}`);
    if (at >= data.complete) parts.push(readout.dataset.incomplete);
    readout.textContent = parts.join(" · ");
  }

  function zoom(u) {
    const { left, width } = u.select;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (width < 8) return;
    const edge = (pixel, round) => iso(round((u.posToVal(pixel, "x") - data.from) / data.step) * data.step + data.from).slice(0, 16);
    location.assign(`${box.dataset.zoom}range=custom&from=${edge(left, Math.floor)}&to=${edge(left + width, Math.ceil)}`);
  }

  function draw() {
    plot?.destroy();
    const bars = uPlot.paths.bars({ size: [0.8, Infinity] });
    const pattern = hatch();
    const axis = { stroke: colour("text"), font: `12px ${getComputedStyle(box).fontFamily}`, ticks: { show: false } };
    plot = new uPlot({
      width: box.clientWidth, height: HEIGHT, ms: 1, padding: [10, 20, 0, 0], legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: true, y: false } },
      scales: { x: { time: false, range: () => [data.from, data.from + data.step * data.units.length] }, y: { range: () => [0, data.y.at(-1)] } },
      axes: [
        { ...axis, size: 30, gap: 8, grid: { show: false }, splits: () => data.x, values: (_, marks) => marks.map(axisLabel) },
        { ...axis, size: parseFloat(getComputedStyle(first).marginLeft), gap: 8, grid: { stroke: colour("grid"), width: 1 }, splits: () => data.y, values: (_, marks) => marks.map(grouped) },
      ],
      series: [{}, { paths: uPlot.paths.bars({ size: [1, Infinity] }), fill: colour("ghost"), width: 0, points: { show: false } }, { paths: bars, fill: colour("bar"), width: 0, points: { show: false } }, { paths: bars, fill: () => pattern, width: 0, points: { show: false } }],
      hooks: { setCursor: [(u) => read(u.cursor.idx)], setSelect: [zoom] },
    }, columns(), box);
    first.setAttribute("hidden", "");
    read(null);
  }

  function startChart() {
    data = JSON.parse(box.dataset.chart);
    draw();
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: HEIGHT });
    }).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    main.addEventListener("chart", (event) => {
      data = JSON.parse(event.detail.data);
      box.setAttribute("aria-label", data.label);
      plot.setData(columns());
      read(plot.cursor.idx);
    });
  }

  // Copy buttons exist only where copying works.
  function offerCopy() {
    if (navigator.clipboard) for (const button of all("[data-copy][hidden]")) button.hidden = false;
  }

  async function copy(button) {
    const label = button.querySelector("[data-label]");
    await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 2000);
  }

  function closeMenus(except) {
    for (const menu of all("details.menu[open]")) {
      if (menu.contains(except)) continue;
      menu.open = false;
      if (!except) menu.querySelector("summary").focus();
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    closeMenus(event.target);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(null); });
  document.addEventListener("htmx:after:swap", offerCopy);
  offerCopy();
  if (main) follow();
  if (box && window.uPlot) startChart();
  else if (box) addEventListener("load", () => { if (window.uPlot) startChart(); });
})();
