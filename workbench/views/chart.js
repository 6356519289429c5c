// A plotly figure, drawn whole whenever it changes: nothing is lost while a page loads, and what a
// page shows that opens later is what stands in the widget. All charts of a page share one plotly.

const CONFIG = { displayModeBar: false, responsive: true };

async function load(model) {
  const shelf = await model.widget_manager.get_model(model.get("library"));
  const text = `const module = { exports: {} };\n${shelf.get("source")}\nexport default module.exports;`;
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const before = window.Plotly;  // another one may be on the page, with charts of its own
  const { default: plotly } = await import(address);
  if (before) window.Plotly = before;
  URL.revokeObjectURL(address);
  return plotly;
}

function render({ model, el }) {
  const place = document.createElement("div");
  place.style.width = "100%";
  el.append(place);
  let plotly = null, drawn = "", gone = false, turn = Promise.resolve();
  const draw = () => {
    turn = turn.then(async () => {
      const text = model.get("figure");
      if (gone || text === drawn) return;
      plotly = await (window.workbenchPlotly ??= load(model));
      const { data, layout } = JSON.parse(text);
      await plotly.react(place, data, layout, CONFIG);
      drawn = text;
    }).catch((error) => { window.workbenchPlotly = undefined; console.error(error); });
  };
  const fit = new ResizeObserver(() => {
    if (drawn && place.clientWidth) plotly.Plots.resize(place);
  });
  model.on("change:figure", draw);
  fit.observe(el);
  draw();
  return () => {
    gone = true;
    fit.disconnect();
    model.off("change:figure", draw);
    if (plotly) plotly.purge(place);
  };
}

export default { render };
