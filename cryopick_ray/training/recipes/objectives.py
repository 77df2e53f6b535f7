"""What a classifier is judged by: losses of logits against labels, differentiable, for one batch.

Logits g are ``(n,)`` or ``(n, 1)``, labels t as many, 1 for a labelled particle and 0 for everything
else: a negative or an unlabelled place. E+ is the mean over the former, E- over the latter; of an empty
set it is 0. l(g, 1) = log(1 + exp(-g)) and l(g, 0) = log(1 + exp(g)) are the logistic losses, p the
sigmoid of g, and pi the share of particles among all places (Bepler et al. 2019, Nat. Methods 16:1153).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus
from torch.nn.functional import cross_entropy as softmax_cross_entropy

NEED_PI = ("ge-binomial", "ge-kl", "nnpu", "pn")
"""Objectives that are told the share of particles among all places."""
SLACK = {"ge-binomial": 1.0, "ge-kl": 10.0}
"""Weight of what the unlabelled must agree with, as Topaz has it."""
SPREAD_FLOOR = 1e-10
"""Keeps the variance of the number of particles above 0 in :func:`ge_binomial`."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of l(g, t)."""
    return binary_cross_entropy_with_logits(logits.reshape(-1), labels.reshape(-1).to(logits))


def two_class_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of -log softmax at the label, of ``(n, 2)`` logits of empty and particle."""
    return softmax_cross_entropy(logits, labels.reshape(-1).long())


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1/(2N) sum (t - p)^2 (Zhu et al. 2017, BMC Bioinformatics 18:348)."""
    return (labels.reshape(-1) - torch.sigmoid(logits.reshape(-1))).square().mean() / 2


def pn(logits: Tensor, labels: Tensor, pi: float) -> Tensor:
    """Return pi E+[l(g, 1)] + (1 - pi) E-[l(g, 0)]: every unlabelled place is taken for empty."""
    positive, rest = _split(logits, labels)
    return pi * _mean(softplus(-positive)) + (1 - pi) * _mean(softplus(rest))


def nnpu(logits: Tensor, labels: Tensor, pi: float) -> Tensor:
    """Return pi E+[l(g, 1)] + max(0, E-[l(g, 0)] - pi E+[l(g, 0)]) (Kiryo et al. 2017, arXiv 1703.00593).

    The bracket estimates the loss on the empty among the unlabelled; a fitted network would make it
    negative. beta is 0.
    """
    positive, rest = _split(logits, labels)
    empty = _mean(softplus(rest)) - pi * _mean(softplus(positive))
    return pi * _mean(softplus(-positive)) + empty.clamp(min=0)


def ge_kl(logits: Tensor, labels: Tensor, pi: float, slack: float) -> Tensor:
    """Return E+[l(g, 1)] + slack KL(pi || m), m the mean p of the unlabelled."""
    positive, rest = _split(logits, labels)
    fit = _mean(softplus(-positive))
    if not len(rest):
        return fit
    share = torch.tensor([pi, 1 - pi], dtype=rest.dtype, device=rest.device)
    # log m and log (1 - m) without m, which is 0 or 1 in float32 when all logits are large
    log_mean = (
        torch.stack([logsigmoid(rest), logsigmoid(-rest)]).logsumexp(1) - rest.new_tensor(len(rest)).log()
    )
    return fit + slack * (share * (share.log() - log_mean)).sum()


def ge_binomial(logits: Tensor, labels: Tensor, pi: float, slack: float) -> Tensor:
    """Return E+[l(g, 1)] - slack sum_k q(k) log Binom(k; N, pi), over k = 0..N of N unlabelled.

    q, how likely the network thinks k particles among them, is a normal distribution of the mean and
    variance of the sum of N coins of chance p, normalised over the whole numbers 0..N.
    """
    positive, rest = _split(logits, labels)
    fit = _mean(softplus(-positive))
    if not len(rest):
        return fit
    p = torch.sigmoid(rest.double())  # a variance near 0 makes differences of large numbers
    k = torch.arange(len(rest) + 1, dtype=p.dtype, device=p.device)
    n = k[-1]
    spread = (p * (1 - p)).sum() + SPREAD_FLOOR
    q = torch.softmax(-((p.sum() - k) ** 2) / (2 * spread), 0)
    chance = torch.tensor(pi, dtype=p.dtype, device=p.device)
    ways = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    log_binomial = ways + k * chance.log() + (n - k) * torch.log1p(-chance)
    return fit - slack * (q * log_binomial).sum().to(fit.dtype)


Objective = Callable[[Tensor, Tensor, float, float], Tensor]
"""Loss of logits, labels, pi and slack; those that have no use for the numbers leave them."""

OBJECTIVES: dict[str, Objective] = {
    "ge-binomial": ge_binomial,
    "ge-kl": ge_kl,
    "nnpu": lambda logits, labels, pi, _: nnpu(logits, labels, pi),
    "pn": lambda logits, labels, pi, _: pn(logits, labels, pi),
    "cross-entropy": lambda logits, labels, *_: cross_entropy(logits, labels),
    "squared-error": lambda logits, labels, *_: squared_error(logits, labels),
}


def _split(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of the labelled particles and of the rest."""
    flat, labelled = logits.reshape(-1), labels.reshape(-1) > 0.5
    return flat[labelled], flat[~labelled]


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(len(values), 1)
