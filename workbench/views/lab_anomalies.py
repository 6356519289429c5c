"""The laboratory of anomalies: whether a behaviour occurs for its usual reason."""

from workbench.views import anomaly_plots as plots
from workbench.views.anomaly_session import AnomalySession
from workbench.views.lab import Action, Chart, Laboratory, Slider
from workbench.views.style import Figure, layout


def _seen(session: AnomalySession, dark: bool, height: int) -> Figure:
    if not session.accounts:
        return {"data": [], "layout": layout(dark, height)}
    return plots.accounts(session.accounts, dark, height)


def _left(session: AnomalySession, dark: bool, height: int) -> Figure:
    left = {kind: account.unexplained for kind, account in session.accounts.items()}
    if not left:
        return {"data": [], "layout": layout(dark, height)}
    return plots.scores(left, dark, height)


def _terms(session: AnomalySession, dark: bool, height: int) -> Figure:
    found = session.explanation
    if found is None:
        return {"data": [], "layout": layout(dark, height)}
    return plots.terms(found, dark, height)


def _say_seen(session: AnomalySession) -> str:
    if "anomalous" not in session.accounts:
        return "Under way." if session.judging else "Not begun."
    account = session.accounts["anomalous"]
    without = float((account.explained.amin(1) < 0.0).double().mean())
    return (
        "Each mark is an input: normal, unusual in what has nothing to do with the behaviour, or "
        "anomalous. The behaviour occurs where the margin seen is above 0; on the dotted line the "
        f"terms explain all of it. On {100 * without:.0f}% of the anomalous inputs the terms alone "
        "would not bring the behaviour about."
    )


def _say_terms(session: AnomalySession) -> str:
    found = session.explanation
    if found is None:
        return "Under way." if session.judging else "Not begun."
    return (
        f"Of {len(found.strengths)} terms {len(found.directions)} account for "
        f"{100 * found.share:.0f}% of the variance of the behaviour on trusted inputs."
    )


def _say_left(session: AnomalySession) -> str:
    told = [f"{area:.3f} against {kind} inputs" for kind, area in session.areas().items()]
    if not told:
        return ""
    return (
        f"Area under the ROC curve: {', '.join(told)}. The score is the margin left "
        f"unexplained, in standard deviations of the margin on trusted inputs. "
        + _say_unlikely(session)
    )


def _say_unlikely(session: AnomalySession) -> str:
    both = [f"{v:.3f} against {k} inputs" for k, v in session.areas("surprise").items()]
    return (
        "Where the anomaly takes the usual path nothing is left, and this score is blind. Another "
        "score, how unlikely on trusted inputs the terms or what they leave are, has "
        f"{', '.join(both)}."
    )


ANOMALIES = Laboratory(
    name="anomalies",
    title="Anomalies",
    about="A behaviour may occur for its usual reason or for another. First the terms are found "
    "that account for it on trusted inputs. How much of the behaviour these terms leave "
    "unexplained on a given input then tells the two apart.",
    session=AnomalySession,
    controls=("bed", "seed", Slider("share", 0.5, 0.99), "inputs"),
    actions=(Action("Judge", "judge", "Explain the behaviour and judge fresh inputs.", True),),
    blocks=(
        Chart("What is seen, and what is explained", _seen, "accounts", _say_seen, 340),
        Chart("What is left unexplained", _left, "unexplained", _say_left, 300),
        Chart("Which terms account for it?", _terms, "terms", _say_terms, 260),
    ),
)  # fmt: skip
