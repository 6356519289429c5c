"""The words of the field as they are used here: what a page and a tooltip say of each."""

TERMS = {
    "distribution": "D, where inputs come from. It may have samples, a density, moments, or "
    "nothing but an unnormalised energy or a network that recognises its inputs.",
    "model": "M, any torch.nn.Module from inputs x to outputs y.",
    "specification": "C, the trusted statement of what a catastrophe is: a real margin s(x, y), "
    "and C holds exactly where it is positive.",
    "margin": "The number s(x, M(x)) whose sign says whether C holds, and whose size says by how "
    "much.",
    "problem": "The frozen triple (D, M, C). A card in JSON or YAML beside a file of tensors "
    "rebuilds it.",
    "estimate": "log P of C(x, M(x)) for x ~ D, with its kind, its cost, and a standard error "
    "where it has one.",
    "kind": "What an estimate promises: unbiased, consistent, heuristic, or a proved lower or "
    "upper bound.",
    "heuristic": "A deterministic estimate, mostly from the weights: it presumes independence, or "
    "Gaussian distributions, wherever nothing says otherwise. It has no error bar: compare it with "
    "the truth on problems like yours.",
    "ground truth": "An exact answer, or an unbiased or consistent estimate with a stated "
    "standard error.",
    "digit": "A factor of ten in P: errors are differences of log10 P.",
    "forward pass": "One evaluation of M on one input. Other work is converted: as many forward "
    "passes as have the same number of operations.",
    "propagation": "Moments of D (means, covariances, third cumulants) carried through M layer by "
    "layer.",
    "tail": "How a distribution of the margin becomes log P: Gaussian, Edgeworth, Pearson III, "
    "saddlepoint.",
    "reliability index": "beta, the mean of the margin divided by its standard deviation: for a "
    "Gaussian margin P = Phi(beta).",
    "design point": "The likeliest input that fails: the nearest to the centre of D in standard "
    "deviations.",
    "adversary": "The search for a distribution near yours under which the catastrophe is as "
    "likely as possible.",
    "trust region": "The limit on how far the adversary may move away from D: a number of nats of "
    "KL divergence, a ball or a box.",
    "nat": "The unit of KL divergence, as bits are, but with natural logarithms. Where the "
    "adversary's D is k nats away and fails almost surely, P under yours is at least about "
    "exp(-k).",
    "frontier": "log P as a function of the nats spent on it: what failure costs the adversary.",
    "defender": "Training that lowers log P while M keeps doing its task.",
    "referee": "An independent sampler, with fresh randomness, that judges what was optimised.",
    "exploited": "Said of a run in which estimate and referee disagree: the optimiser has found an "
    "error of the estimate instead of a safer M.",
    "coherence defect": "How many digits an estimate contradicts itself by: how much it would "
    "change if part of D were integrated exactly. No truth is needed to measure it.",
    "run": "A training, search or long estimate kept in a folder: card, settings, state, metrics. "
    "It can be killed at any moment and resumed.",
}
"""{term: a sentence or two}."""
