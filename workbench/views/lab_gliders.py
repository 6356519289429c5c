"""The laboratory of gliders: where independent cells stop to be a good presumption."""

from workbench.views import gliders_plots as plots
from workbench.views import gliders_words as words
from workbench.views.gliders_session import GlidersSession
from workbench.views.laboratory import Action, Chart, Laboratory, Slider, Words

GLIDERS = Laboratory(
    name="gliders",
    title="Gliders",
    about="A random board follows a local rule. Presuming that its cells are independent foretells "
    "the next density, and ever less of what comes then.",
    session=GlidersSession,
    controls=(
        "rule",
        Slider("density", 0.02, 0.98),
        "seed", "side", "speed", "horizon",
    ),
    actions=(
        Action("Run", "play", "Step on to the last generation.", True,
               lambda s: not s.stepping and not s.over),
        Action("Pause", "pause", "Stop after the present generation.",
               enabled=lambda s: s.stepping),
        Action("Step", "step", "One generation, and no further.",
               enabled=lambda s: not s.stepping),
        Action("Reset", "reset", "A new first generation, as the controls say."),
    ),
    blocks=(
        Chart("How many cells live?", plots.densities, "densities", words.densities, 300),
        Words("The board", plots.board, "board"),
    ),
)  # fmt: skip
