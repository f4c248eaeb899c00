"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const drawn = new Set();

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  function themed(layout) {
    const look = {
      "paper_bgcolor": "rgba(0,0,0,0)",
      "plot_bgcolor": "rgba(0,0,0,0)",
      "font.color": colour("text"),
      "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": 12,
      "hoverlabel.bgcolor": colour("card"),
      "hoverlabel.bordercolor": colour("line"),
      "hoverlabel.font.color": colour("text"),
      "legend.bgcolor": "rgba(0,0,0,0)",
    };
    for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      look[`${axis}.gridcolor`] = colour("grid");
      look[`${axis}.linecolor`] = colour("line");
      look[`${axis}.zerolinecolor`] = colour("soft");
      look[`${axis}.tickfont.color`] = colour("soft");
      look[`${axis}.title.font.color`] = colour("soft");
    }
    return look;
  }

  function nested(flat, into) {
    for (const [path, value] of Object.entries(flat)) {
      const keys = path.split(".");
      const last = keys.pop();
      let place = into;
      for (const key of keys) {
        if (typeof place[key] === "string") place[key] = { text: place[key] };
        place = place[key] ??= {};
      }
      place[last] = value;
    }
    return into;
  }

  // Whiskers lie across bars of any colour, so they take the text's.
  function inked(traces) {
    for (const trace of traces) {
      if (trace.type === "bar" && trace.error_y) trace.error_y.color = colour("text");
    }
    return traces;
  }

  function draw(element) {
    if (drawn.has(element)) return;
    drawn.add(element);
    const figure = figures[element.id];
    Plotly.newPlot(element, inked(figure.data), nested(themed(figure.layout), figure.layout), {
      responsive: true,
      displaylogo: false,
      displayModeBar: false,
    });
  }

  function setTheme(theme) {
    root.dataset.theme = theme;
    for (const element of drawn) {
      const layout = nested(themed(element.layout), element.layout);
      Plotly.react(element, inked(element.data), layout);
    }
  }

  function sortBy(header) {
    const row = header.parentElement;
    const column = [...row.children].indexOf(header);
    const falling = header.getAttribute("aria-sort") === "ascending";
    for (const other of row.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const body = header.closest("table").tBodies[0];
    const key = (line) => line.children[column]?.dataset.order;
    const compare = (one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      const [x, y] = [Number(a), Number(b)];
      const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
      return falling ? -order : order;
    };
    body.append(...[...body.rows].sort(compare));
  }

  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(root.dataset.theme === "dark" ? "light" : "dark");
  });
  for (const button of document.querySelectorAll(".sortable thead button")) {
    button.addEventListener("click", () => sortBy(button.closest("th")));
  }
  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) draw(entry.target);
  }, { rootMargin: "600px" });
  plots.forEach((plot) => seen.observe(plot));
  addEventListener("beforeprint", () => plots.forEach(draw));
})();
