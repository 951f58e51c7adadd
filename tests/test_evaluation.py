"""Metrics, ranks, ties and the bootstrap, by hand and against scikit-learn."""

import numpy as np
import pytest
import torch
from conftest import build
from hypothesis import given
from hypothesis import strategies as st
from oracles import dataset, random_sequences
from sklearn.metrics import ndcg_score, top_k_accuracy_score

import casadv_lib as cas
from casadv_lib.data import held_out
from casadv_lib.evaluation import gains, rank_items, resampled_gains


@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.parametrize("name", list(cas.BACKBONES))
def test_agrees_with_a_metric_library(name, split):
    # every history length from 1 (three items, validation) past max_len, in any order, and more
    # users than a batch or a chunk has; no ties in random floats
    sequences = random_sequences(300, 40, 3, 20)
    data = dataset(sequences, 40)
    model = build(name)
    found = cas.evaluate(model, data, split)
    histories, targets = held_out(data, split)
    with torch.no_grad():
        w = torch.stack([model(cas.pack([h], model.max_len))[-1] for h in histories])
        scores = (w @ model.items.weight[1:].T).double().numpy()  # column 0 is item 1
    for row, history in zip(scores, histories):
        row[np.asarray(history) - 1] = -1e9
    relevant = np.zeros_like(scores)
    relevant[np.arange(len(scores)), np.asarray(targets) - 1] = 1
    assert found["ndcg@10"] == pytest.approx(ndcg_score(relevant, scores, k=10), rel=1e-9)
    hits = top_k_accuracy_score(np.asarray(targets) - 1, scores, k=10, labels=np.arange(40))
    assert found["hr@10"] == pytest.approx(hits, rel=1e-9)
    assert len(found["ranks"]) == data.n_users and found["tie_rate"] == 0


class Fixed(cas.Backbone):
    """A backbone whose user vector is constant, so that scores are set by hand."""

    def __init__(self, scores):
        super().__init__(len(scores), max_len=9, dim=1, dropout=0.0)
        with torch.no_grad():
            self.items.weight[1:, 0] = torch.tensor(scores, dtype=torch.float32)

    def encode(self, rows, batch, drop=None):
        return torch.ones_like(rows)


@given(st.lists(st.integers(-2, 2), min_size=4, max_size=14), st.data())
def test_rank_rule_with_ties(scores, draw):
    items = range(1, len(scores) + 1)
    target = draw.draw(st.sampled_from(items))
    # the history may hold the target itself: it still takes part in the ranking
    seen = draw.draw(st.lists(st.sampled_from(items), max_size=5))
    ranks, tie_rate = rank_items(Fixed([float(s) for s in scores]), [np.array([1])],
                                 np.array([target]), [np.array(seen, dtype=int)])
    others = [s for i, s in enumerate(scores, 1) if i != target and i not in seen]
    own = scores[target - 1]
    assert ranks[0] == 1 + sum(s > own for s in others) + others.count(own) / 2
    assert tie_rate == float(own in others)


def test_the_tie_rate_is_the_share_of_users_with_a_tie():
    # the second user has met the item of the same score
    ranks, tie_rate = rank_items(Fixed([2.0, 1.0, 1.0]), [np.array([1])] * 2, np.array([2, 2]),
                                 [np.array([1]), np.array([1, 3])])
    assert ranks.tolist() == [1.5, 1] and tie_rate == 0.5


def test_metrics_by_hand():
    ranks = np.array([1, 2, 10, 10.5, 11])
    assert cas.hit_ratio(ranks) == pytest.approx(3 / 5)
    assert cas.ndcg(ranks) == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(11)) / 5)
    np.testing.assert_allclose(gains(np.array([1.5, 12]), "ndcg@10"), [1 / np.log2(2.5), 0])


@pytest.mark.parametrize("name", ["items.weight", "norm.weight"])  # of an item nobody has met
def test_a_diverged_model_is_named(name):
    model = build("sasrec")
    with torch.no_grad():
        model.get_parameter(name)[-1] = torch.nan
    with pytest.raises(ValueError, match="not finite.*diverged"):
        cas.evaluate(model, dataset([[1, 2, 3, 4]] * 5, 40))
    with pytest.raises(ValueError, match="the model has 40 items, the data set 'toy' 41; allowed"):
        cas.evaluate(model, dataset([[1, 2, 3, 4]] * 5, 41))


@pytest.mark.parametrize(("resamples", "seed", "level", "chunk"), [
    (250, 0, 0.95, 100), (7, 3, 0.5, 3), (1, 5, 0.9, 1), (200, 1, 0.8, 200),
])
def test_the_bootstrap_resamples_users_one_by_one(resamples, seed, level, chunk):
    rng = np.random.default_rng(9)
    a, b = rng.integers(1, 20, (2, 57))
    difference = gains(a, "ndcg@10") - gains(b, "ndcg@10")
    draw = np.random.default_rng(seed)
    means = [difference[draw.integers(0, 57, 57)].mean() for _ in range(resamples)]
    found = cas.paired_bootstrap(a, b, "ndcg@10", resamples, seed, level)
    hits = cas.paired_bootstrap(a, b, "hr@10", resamples, seed, level)["difference"]
    assert hits == pytest.approx(np.mean(a <= 10) - np.mean(b <= 10), abs=1e-15)
    assert found["difference"] == pytest.approx(difference.mean(), abs=1e-15)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-14)
    both = np.stack([difference, gains(a, "hr@10")], axis=1)
    together = resampled_gains(both, seed, resamples, chunk)
    assert together.shape == (1 + resamples, 2)
    np.testing.assert_allclose(together[:, 0], [difference.mean(), *means], atol=1e-14)
    assert together[0, 1] == pytest.approx(cas.hit_ratio(a))


def test_the_bootstrap_is_paired_and_that_of_seed_0_unless_said():
    ranks, gain = np.random.default_rng(1).integers(1, 30, 500), np.eye(30, 2)
    assert cas.paired_bootstrap(ranks, ranks) == {"difference": 0, "low": 0, "high": 0}
    assert np.array_equal(resampled_gains(gain, resamples=5), resampled_gains(gain, 0, 5))
    assert not np.array_equal(resampled_gains(gain, resamples=5), resampled_gains(gain, 1, 5))
