"""The laboratory of gliders: where independent cells stop to be a good presumption."""

from workbench.views import gliders_gallery as pictures
from workbench.views import gliders_plots as plots
from workbench.views import gliders_words as words
from workbench.views.gliders_session import GlidersSession
from workbench.views.lab import Action, Chart, Laboratory, Slider, Words

GLIDERS = Laboratory(
    name="gliders",
    title="Gliders",
    about="A random board follows a local rule. Presuming that its cells are independent predicts "
    "the next density, and less and less of what comes later, as structures form that hold "
    "together. What stands out against the presumption is found; given that, the density is "
    "predicted again.",
    session=GlidersSession,
    controls=(
        "rule",
        Slider("density", 0.02, 0.98),
        "seed", "side", "speed", "horizon", "against",
    ),
    actions=(
        Action("Run", "play", "Step on to the last generation.", True,
               lambda s: not s.stepping and not s.over),
        Action("Pause", "pause", "Stop after the present generation.",
               enabled=lambda s: s.stepping),
        Action("Step", "step", "One generation, and no further.",
               enabled=lambda s: not s.stepping),
        Action("Find", "find", "Look for what stands out on the present board.",
               enabled=lambda s: not s.stepping and not s.running("found")),
        Action("Reset", "reset", "A new first generation, as the controls say."),
    ),
    blocks=(
        Chart("How many cells live?", plots.densities, "densities", words.densities, 330),
        Words("The board", plots.board, "board"),
        Words("What stands out?", pictures.gallery, "found"),
    ),
)  # fmt: skip
