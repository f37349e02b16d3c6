/* charts.js: draws the figures that the server made. The data is an attribute of each plot: scripts in a part of a page
   that comes anew are thrown away. */
(() => {
  "use strict";
  const dark = () => document.documentElement.dataset.theme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const draw = () => document.querySelectorAll("[data-figure]").forEach((place) => {
    const figure = JSON.parse(place.dataset.figure);
    const theme = figure.themes ? figure.themes[dark() ? "dark" : "light"] : undefined;
    const layout = { ...figure.layout, template: theme || figure.layout.template, autosize: true };
    Plotly.react(place, figure.data, layout, { displayModeBar: false, responsive: true, ...figure.config });
  });
  document.addEventListener("theme", draw);
  document.addEventListener("htmx:afterSettle", draw);
  draw();
})();
