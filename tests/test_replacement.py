"""Attacks on some users only, and what a table and an average make of them."""

import numpy as np
import pytest
from _stored_runs import own_file, stored_runs  # noqa: F401 - fixtures
from conftest import build

import casadv_lib as cas
from casadv_lib.widgets.replacements import Replacements, history_table, list_table


def test_averages_are_those_of_attack_on_the_sample(stored):
    made = stored["base"]
    models = {m: run.model(device="cpu").eval() for m, run in stored.items()}
    close = Replacements(models, made.data, sample=20)
    assert len(close.sample) == 20 and (np.diff(close.sample) > 0).all()
    for asked in ({"k": 2}, {"k": 2, "exclude": "original"}, {"positions": "first",
                                                              "pick": "random"}):
        average = close.average(**asked)
        for method, model in models.items():
            whole = cas.attack(model, made.data, **asked)
            rows = np.searchsorted(whole["users"], close.sample)
            for metric, of in (("hr@10", cas.hit_ratio), ("ndcg@10", cas.ndcg)):
                assert average[method]["attacked"][metric] == of(whole["ranks"][rows])
                assert average[method]["clean"][metric] == of(whole["clean"]["ranks"][rows])
    clean = cas.evaluate(models["base"], made.data)["ranks"][close.sample]
    assert close.average(k=0)["base"]["attacked"]["hr@10"] == cas.hit_ratio(clean)


def test_a_change_of_a_list_says_where_each_item_stood():
    table = list_table(np.array([3, 1, 2]), np.array([1, 4, 2]), list("-abcd"), 2)
    assert table["before"].tolist() == ["c (leaves)", "a", "b ← held out"]
    assert table["after"].tolist() == ["a", "d", "b ← held out"]
    assert table["change"].tolist() == ["up from 2", "new", "same place"]


def test_a_history_shows_the_newest_items_and_all_that_were_replaced():
    before = np.arange(1, 13)
    after = before.copy()
    after[[1, 11]] = 20, 21
    table = history_table(before, after, [str(item) for item in range(30)])
    assert table.index.tolist() == [10, 7, 6, 5, 4, 3, 2, 1, 0]
    assert table.loc[10].tolist() == ["2", "20", "replaced"]
    assert table.loc[0].tolist() == ["12", "21", "replaced"] and table.loc[5, "change"] == ""


@pytest.mark.parametrize("wrong", [{"k": 6}, {"k": -1}, {"method": "bert"}, {"exclude": "all"}])
def test_replacements_refuse(toy, wrong):
    close = Replacements({"base": build("gru4rec").eval()}, toy)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        close.found(**({"method": "base", "users": np.array([0])} | wrong))
