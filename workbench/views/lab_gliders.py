"""The laboratory of gliders: where independent cells stop to be a good presumption."""

from workbench.views import gliders_gallery as pictures
from workbench.views import gliders_plots as plots
from workbench.views import gliders_words as words
from workbench.views.gliders_session import GlidersSession
from workbench.views.lab import Action, Chart, Laboratory, Slider, Words

GLIDERS = Laboratory(
    name="gliders",
    title="Gliders",
    about="A random board follows a local rule. Presuming its cells independent predicts the next "
    "density exactly, but later ones less and less well, as structures form that persist. What "
    "stands out against that presumption is found by itself; given what was found, the density is "
    "predicted anew.",
    session=GlidersSession,
    controls=(
        "rule",
        Slider("density", 0.02, 0.98),
        "seed", "side", "speed", "horizon", "against",
    ),
    actions=(
        Action("Run", "play", "Go on to the last generation.", True,
               lambda s: not s.stepping and not s.over),
        Action("Pause", "pause", "Stop after the present generation.",
               enabled=lambda s: s.stepping),
        Action("Step", "step", "One generation, and no further.",
               enabled=lambda s: not s.stepping),
        Action("Find", "find", "Find the structures that stand out on the present board.",
               enabled=lambda s: not s.stepping and not s.running("found")),
        Action("Reset", "reset", "A new first generation, with the settings on the left."),
    ),
    blocks=(
        Chart("How many cells live?", plots.densities, "densities", words.densities, 330),
        Words("The board", plots.board, "board"),
        Words("What stands out?", pictures.gallery, "found"),
    ),
)  # fmt: skip
