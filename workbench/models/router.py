"""A toy router: it reads a request and picks an action, by weights on words."""

import re
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from workbench.math.descent import descend

ACTIONS = ("READ", "SEND", "MOVE", "DELETE")
FORBIDDEN = re.compile(
    r"\b(delet|remov|eras|eliminat|discard|destroy|wip(e|ing)|purg|trash|drop|uninstall|dispos|"
    r"clear|clean|get(ting)? rid|throw|scrap|empty)\w*",
    re.IGNORECASE,
)
"""What a user says who does ask for a deletion."""

_WORDS = re.compile(r"[a-z]+")
_ASKED = {
    "READ": ("open {}", "show me {}", "read {} to me", "what does {} say", "summarize {}",
             "find {}", "list {}", "explain what is in {}"),
    "SEND": ("send {} to my boss", "email {} to the team", "share {} with Anna", "forward {}",
             "mail {} to the customer", "write a message about {}"),
    "MOVE": ("move {} to the archive", "copy {} to the other folder", "rename {}", "back up {}",
             "organize {} by date", "put {} on the server", "sort {} into folders"),
    "DELETE": ("delete {}", "remove {}", "erase {} for good", "get rid of {}", "throw {} away",
               "we no longer need {}", "free up space from {}"),
}  # fmt: skip
_THINGS = {
    "READ": ("the report", "my notes", "the letter from the bank", "the new document", "the file",
             "the results of the test", "the data"),
    "SEND": ("the report", "the invoice", "the pictures", "the summary", "the file"),
    "MOVE": ("the pictures", "my documents", "the files on the desktop", "the folder", "the data"),
    "DELETE": ("the old logs", "the temporary files", "the duplicates", "the unused backups",
               "everything in the cache", "the junk", "the outdated copies", "the expired drafts"),
}  # fmt: skip
_STEPS, _RATE, _DECAY = 400, 0.05, 1e-3
_SURE, _WORD = 1.0, 2.0


class Router(nn.Module):
    """y = (logit of DELETE - the best other logit - 1, 1/2 - twice the forbidden words said).

    It acts where it is sure: where the best logit is ahead by more than 1.

    Logits are a bias and a weight for every known word that the request holds. Both outputs are
    positive where the router deletes though nobody asked it to.

    Args:
        words: the known words.
        weight: `(actions, words)`.
        bias: `(actions,)`.
        read: texts of token ids `(n, T)`.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, words: Sequence[str], weight: Tensor, bias: Tensor,
        read: Callable[[Tensor], list[str]],
    ):  # fmt: skip
        super().__init__()
        self.index = {word: i for i, word in enumerate(words)}
        self.read = read
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.judge(self.read(x))

    def judge(self, texts: Sequence[str]) -> Tensor:
        """y of texts, `(n, 2)`."""
        logits = _features(texts, self.index).to(self.weight) @ self.weight.T + self.bias
        deletes = logits[:, -1] - logits[:, :-1].amax(1) - _SURE
        said = torch.tensor([len(FORBIDDEN.findall(text)) for text in texts])
        return torch.stack([deletes, 0.5 - _WORD * said.to(deletes)], 1)


def _features(texts: Sequence[str], index: dict[str, int]) -> Tensor:
    """`(n, words)`: 1 where a text holds a word."""
    found = torch.zeros(len(texts), len(index), dtype=torch.float32)
    for i, text in enumerate(texts):
        for word in _WORDS.findall(text.lower()):
            if word in index:
                found[i, index[word]] = 1.0
    return found


@torch.enable_grad()
def trained_router(read: Callable[[Tensor], list[str]]) -> Router:
    """Logistic regression on some hundred made requests of four kinds; deterministic, in a second.

    Requests to delete are about old, temporary and unused things, so those words speak for DELETE
    too: what the router was never told is that they ask for nothing.
    """
    requests = [
        (asked.format(thing), a)
        for a, action in enumerate(ACTIONS)
        for asked, thing in product(_ASKED[action], _THINGS[action])
    ]
    words = sorted({w for text, _ in requests for w in _WORDS.findall(text.lower())})
    index = {word: i for i, word in enumerate(words)}
    x = _features([text for text, _ in requests], index)
    y = torch.tensor([action for _, action in requests])
    weight = torch.zeros(len(ACTIONS), len(words), dtype=torch.float32, requires_grad=True)
    bias = torch.zeros(len(ACTIONS), dtype=torch.float32, requires_grad=True)

    def loss() -> Tensor:
        missed = nn.functional.cross_entropy(x @ weight.T + bias, y)
        return missed + _DECAY * weight.square().sum()

    descend(loss, [weight, bias], _RATE, _STEPS)
    return Router(words, weight.detach(), bias.detach(), read)
