// A plotly figure, drawn whole whenever it changes: nothing is lost while a page loads, and what a
// page shows that opens later is what stands in its model.

const CONFIG = { displayModeBar: false, responsive: true };

// plotly puts its style sheet into the document, which a shadow root below does not see.
function dress(place) {
  const root = place.getRootNode(), given = document.getElementById("plotly.js-style-global");
  if (root === document || !given) return;
  const sheet = document.createElement("style");
  sheet.textContent = [...given.sheet.cssRules].map((rule) => rule.cssText).join("\n");
  place.before(sheet);
}

const bright = (tone) => (tone.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((a, b) => a + +b, 0) > 384;

// Letters that are dark where the words around the chart are light, or the other way round, as where
// a notebook's theme is not the one that a screen was told of: then it gets a ground of its own.
function stand(place) {
  const letter = place.querySelector(".xtick text, .ytick text");
  if (!letter) return;
  const light = bright(getComputedStyle(letter).fill);
  const apt = bright(getComputedStyle(place).color) === light;
  place.style.background = apt ? "" : light ? "#1b1f24" : "#ffffff";
}

// A place to draw in with the plotly that `load()` promises: [place, draw(text), gone()]. It takes
// `share` of the window's height where a figure is not that high.
function chart(load, share = 0) {
  const place = document.createElement("div");
  place.style.width = "100%";
  let plotly = null, wanted = "", drawn = "", over = false, turn = Promise.resolve();
  const draw = (text) => {
    wanted = text;
    turn = turn.then(async () => {
      if (over || wanted === drawn) return;
      const now = wanted;
      if (!plotly) {
        plotly = await load();
        dress(place);
      }
      const { data, layout } = JSON.parse(now);
      // A height of its own: drawn while it is hidden, it would be fitted to a height of nothing.
      if (layout.height) {
        place.style.height = `max(${layout.height}px, ${100 * share}vh)`;
        layout.height = Math.max(layout.height, Math.round(share * window.innerHeight));
      }
      await plotly.react(place, data, layout, CONFIG);
      if (layout.font) stand(place);  // a figure that is still empty has letters of plotly's own
      drawn = now;
    }).catch((error) => console.error(error));
  };
  const fit = new ResizeObserver(() => {
    if (drawn && place.clientWidth) plotly.Plots.resize(place);
  });
  fit.observe(place);
  return [place, draw, () => {
    over = true;
    fit.disconnect();
    if (plotly) plotly.purge(place);
  }];
}
