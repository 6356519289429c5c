"""Text that pages of a notebook are told of, whatever becomes of the scripts that show it.

anywidget drops all messages to a widget whose script has not come within two seconds, as happens on
a busy page: what changes stands in a model of its own, of the kind that every page knows.
"""

import ipywidgets as w
import traitlets


class Shelf(w.Widget):
    """Holds `text`; a script on the page finds it by its `model_id`."""

    _model_name = traitlets.Unicode("WidgetModel").tag(sync=True)
    _model_module = traitlets.Unicode("@jupyter-widgets/base").tag(sync=True)
    _model_module_version = traitlets.Unicode("2.0.0").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)


FOLLOW = """
// Calls change(text) now and whenever the text on the shelf of this name changes; how to stop it.
async function follow(model, name, change) {
  const shelf = await model.widget_manager.get_model(model.get(name));
  const told = () => change(shelf.get("text"));
  shelf.on("change:text", told);
  told();
  return () => shelf.off("change:text", told);
}
"""
