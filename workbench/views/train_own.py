"""What a visitor brings to the room Train: a card, and the examples that its network is for."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadInput
from workbench.experiments.examples import read_task
from workbench.problem.codec import ZIP, unzipped
from workbench.training import Duty

ACCEPT = f"{ZIP},.csv,.safetensors"


def own_duty(files: Mapping[str, bytes]) -> Duty:
    """The duty in two files, {name: bytes}.

    Raises:
        BadInput: where they are not a card and its examples, or do not fit together.
    """
    cards = [name for name in files if name.endswith(ZIP)]
    if len(files) != 2 or len(cards) != 1:
        raise BadInput(
            "to train a network of your own choose two files at once: its card (.zip) and its "
            f"examples (.csv or .safetensors); got {', '.join(files) or 'none'}"
        )
    (named,) = files.keys() - cards
    problem = unzipped(files[cards[0]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(named).name
        path.write_bytes(files[named])
        return Duty(problem, read_task(path, problem))
