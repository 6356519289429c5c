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
    "estimate": "log P of C(x, M(x)) for x ~ D, with its error or none, its kind and its cost.",
    "kind": "What an estimate promises: unbiased, consistent, heuristic, or a proved lower or "
    "upper bound.",
    "heuristic": "Deterministic and from the weights: it presumes independence, or Gaussian "
    "clouds, where it is not told otherwise. No error bar; compare it with truth on problems like "
    "yours.",
    "ground truth": "An exact answer, or an unbiased or consistent estimate with a stated "
    "standard error.",
    "digit": "A factor of ten in P: errors are differences of log10 P.",
    "forward pass": "One evaluation of M on one input; other work is counted in as many "
    "operations.",
    "propagation": "Moments of D (means, covariances, third cumulants) carried through M layer by "
    "layer.",
    "tail": "How a law of the margin becomes log P: Gaussian, Edgeworth, Pearson III, saddlepoint.",
    "reliability index": "beta, by how many standard deviations the margin's mean lies above 0: P "
    "= Phi(beta).",
    "design point": "The likeliest input that fails: the nearest to the centre of D in standard "
    "deviations.",
    "adversary": "A D that is searched, near yours, to raise log P of the catastrophe.",
    "trust region": "How far the adversary may go: so many nats of KL divergence, a ball or a box.",
    "nat": "The unit of KL divergence, with natural logarithms. Where the adversary's D is k nats "
    "away and fails almost surely, P under yours is at least about exp(-k).",
    "frontier": "log P against the nats spent for it: the price list of failure.",
    "defender": "The training of M that lowers log P while M keeps doing its task.",
    "referee": "An independent sampler, with fresh randomness, that judges what was optimised.",
    "exploited": "Said of a run whose estimate and referee part: the optimiser found an error of "
    "the estimate in place of a safer M.",
    "coherence defect": "By how many digits an estimate contradicts itself, as integrating a part "
    "of D by hand would show; it needs no truth.",
    "run": "A training, search or long estimate in a folder: card, settings, state, metrics. It "
    "can be killed at any moment and gone on with.",
}
"""{term: a sentence or two}."""
