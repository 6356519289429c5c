"""The laboratory of anomalies: whether a behaviour occurs for its usual reason."""

from workbench.views import anomaly_plots as plots
from workbench.views.anomaly_session import AnomalySession
from workbench.views.lab import Action, Chart, Laboratory, Slider
from workbench.views.style import Figure, blank


def _seen(session: AnomalySession, dark: bool, height: int) -> Figure:
    if not session.accounts:
        return blank(dark, height, _standing(session))
    return plots.accounts(session.accounts, dark, height)


def _left(session: AnomalySession, dark: bool, height: int) -> Figure:
    left = {kind: account.unexplained for kind, account in session.accounts.items()}
    if "anomalous" not in left:  # the last, which the others are held against
        return blank(dark, height, _standing(session))
    return plots.scores(left, dark, height)


def _terms(session: AnomalySession, dark: bool, height: int) -> Figure:
    found = session.explanation
    if found is None:
        return blank(dark, height, _standing(session))
    return plots.terms(found, dark, height)


def _standing(session: AnomalySession) -> str:
    return "Computing …" if session.judging else "Not started yet."


def _say_seen(session: AnomalySession) -> str:
    if "anomalous" not in session.accounts:
        return ""
    account = session.accounts["anomalous"]
    without = float((account.explained.amin(1) < 0.0).double().mean())
    return (
        "Each mark is an input: normal; unusual, but in ways that have nothing to do with the "
        "behaviour; or anomalous. The behaviour occurs where the observed margin is above 0; on "
        "the dotted line the terms explain all of it. On "
        f"{100 * without:.0f}% of the anomalous inputs the terms alone would not cause the "
        "behaviour."
    )


def _say_terms(session: AnomalySession) -> str:
    found = session.explanation
    if found is None:
        return ""
    return (
        f"{len(found.directions)} of {len(found.strengths)} terms explain "
        f"{100 * found.share:.0f}% of the behaviour's variance on trusted inputs."
    )


def _say_left(session: AnomalySession) -> str:
    told = [f"{area:.3f} against {kind} ones" for kind, area in session.areas().items()]
    if not told:
        return ""
    return (
        f"Area under the ROC curve for anomalous inputs: {', '.join(told)}. The score is the part "
        "of the margin that is left unexplained, in standard deviations of the margin on trusted "
        "inputs. " + _say_unlikely(session)
    )


def _say_unlikely(session: AnomalySession) -> str:
    both = [f"{v:.3f} against {k} ones" for k, v in session.areas("surprise").items()]
    return (
        "It is blind to an anomaly that takes the usual path, which leaves nothing unexplained. "
        "Another score, how unlikely the terms or what they leave would be on trusted inputs, "
        f"reaches {', '.join(both)}."
    )


ANOMALIES = Laboratory(
    name="anomalies",
    title="Anomalies",
    about="A behaviour of a network may occur for its usual reason or for another one. First the "
    "terms that explain it on trusted inputs are found. How much of the behaviour they leave "
    "unexplained on a new input then tells the two apart.",
    session=AnomalySession,
    controls=("bed", "seed", Slider("share", 0.5, 0.99), "inputs"),
    actions=(
        Action("Judge", "judge", "Explain it on trusted inputs, then judge new ones.", True),
    ),
    blocks=(
        Chart("What is seen, and what is explained", _seen, "accounts", _say_seen, 320, share=0.34),
        Chart("What is left unexplained", _left, "unexplained", _say_left, 320, share=0.34),
        Chart("How many terms explain it?", _terms, "terms", _say_terms, 260, share=0.28),
    ),
)  # fmt: skip
