"""The tables of a study: what is stored is taken, what is missing is made, others join."""

import shutil

import pandas as pd
import pytest

import casadv_lib as cas
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import attack_name
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.experiments.runs import Study
from casadv_lib.results import collect, frames
from casadv_lib.results.collect import known, results_of, store
from casadv_lib.results.frames import read_ranks, read_results, select
from casadv_lib.settings import EXCLUDES
from casadv_lib.support.files import write_json

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1,
         "health": "note"}


@pytest.fixture
def study(tmp_path, toy, runs_folder, monkeypatch):
    """A function: a study of the toy data as a file; nothing of the profile is stored."""
    monkeypatch.setattr(frames, "root", lambda: tmp_path)
    path = tmp_path / "own.txt"
    path.write_text("".join(" ".join(map(str, [user, *sequence])) + "\n"
                            for user, sequence in enumerate(toy.sequences, start=1)))

    def make(backbone="sasrec", **more):
        return Study(dataset=str(path), backbone=backbone, device="cpu",
                     overrides=SMALL | more)

    return make


def test_what_is_missing_is_made_and_what_is_stored_is_taken(study, tmp_path, runs_folder,
                                                             monkeypatch):
    own, attacks = study(), ({}, {"positions": "first"})
    made = results_of(own, ("base", "adv_cas"), attacks)
    assert made.main[own.dataset, "sasrec"].keys() == {"base", "adv_cas"}
    assert set(made.attacks["attack"]) == {attack_name(**options) for options in attacks}
    assert made.datasets["users"].tolist() == [60] and set(made.runs["split"]) == {"validation",
                                                                                   "test"}
    folder = tmp_path / "figures" / "made" / "quick"
    store({own.run(method): ["main"] for method in ("base", "adv_cas")}, folder, "quick")
    shutil.rmtree(runs_folder)
    again = results_of(own, ("base", "adv_cas"), attacks)
    assert not runs_folder.exists()
    for name in ("runs", "attacks", "curves", "intervals"):
        keys = [c for c in frames.COLUMNS[name] if c not in ("seconds", "hardware")]
        pd.testing.assert_frame_equal(getattr(made, name)[keys].reset_index(drop=True),
                                      getattr(again, name)[keys].reset_index(drop=True),
                                      check_dtype=False)
    # one attack more: that run alone is made again, and compared with the stored ranks
    more = results_of(own, ("base",), ({"k": 2},))
    assert len(list(runs_folder.iterdir())) == 1
    assert attack_name(k=2) in set(more.attacks["attack"])
    frames.interval(more, "pair", "difference", run=own.config("adv_cas").run_name(
        own.data.fingerprint), versus_which="last")


@pytest.mark.parametrize("setting, value, is_taken", [
    ("epsilon", 7.0, True),  # chosen anew on this machine
    ("dropout", 0.3, False)])
def test_settings_that_were_chosen_may_differ_from_ours(study, tmp_path, runs_folder, setting,
                                                        value, is_taken):
    other = study(**{setting: value})
    folder = tmp_path / "figures" / "made" / "quick"
    store({other.run(method): ["main"] for method in ("base", "adv_cas")}, folder, "quick")
    shutil.rmtree(runs_folder)
    found = results_of(study(), ("base", "adv_cas"))
    assert runs_folder.exists() != is_taken
    if is_taken:
        run = frames.main_run(found, found.runs["dataset"].iloc[0], "sasrec", "adv_cas")
        assert found.configs[run]["epsilon"] == 7.0
        # but not where a reader asks for a value
        asked = results_of(study(epsilon=5.0), ("base", "adv_cas"))
        assert set(select(asked.runs, method="adv_cas")["epsilon"]) == {5.0}


def test_other_backbones_join_from_stored_tables_only(study, tmp_path, runs_folder):
    gru, folder = study("gru4rec"), tmp_path / "figures" / "made" / "quick"
    store({gru.run("base"): ["main"]}, folder, "quick")
    both = results_of(study(), ("base",))
    assert list(both.runs["backbone"].unique()) == ["sasrec", "gru4rec"]
    assert len(list(runs_folder.glob("*gru4rec*"))) == 1
    alone = results_of(study(dropout=0.3), ("base",))
    assert list(alone.runs["backbone"].unique()) == ["sasrec"]


def test_a_backbone_of_one_s_own(study, runs_folder, monkeypatch):
    monkeypatch.setitem(cas.BACKBONES, "own", type("Own", (cas.GRU4Rec,), {}))
    found = results_of(study("own"), ("base", "adv_cas"), ({},))
    assert found.main[study().dataset, "own"].keys() == {"base", "adv_cas"}
    assert set(found.attacks["backbone"]) == {"own"}
    guided = frames.main_run(found, study().dataset, "own", "adv_cas")
    frames.interval(found, "pair", "difference", run=guided, versus_which="last")


def test_sweeps_and_switches(study, runs_folder):
    own = study("gru4rec", lambda1=0.5)
    found = results_of(own, ("base", "base+100", "adv_cas"), epsilons=(0.5, 1.0),
                       switches=("sign", "literal"))
    assert len(list(runs_folder.iterdir())) == 7  # from one base
    setting = (own.dataset, "gru4rec")
    swept = frames.with_role(found, "sweep", dataset=setting[0], backbone=setting[1])
    assert swept["epsilon"].tolist() == [0.5, 1.0]
    assert set(frames.with_role(found, "switch")["run"]) == {
        own.run("adv_cas", **more).name for more in ({}, {"direction": "sign"},
                                                     SWITCHES["literal"][1])}


def test_errors_come_before_work(study, no_work):
    with pytest.raises(ValueError, match="epsilon"):
        results_of(study(), ("base",), epsilons=(-1.0,))
    with pytest.raises(ValueError, match="switches is 'dog'"):
        results_of(study(), ("base",), switches=("dog",))
    with pytest.raises(ValueError, match="pick"):
        results_of(study(), ("base",), ({"pick": "dog"},))
    with pytest.raises(ValueError, match="attacks is 'loss'; allowed are 'positions', 'k', "):
        results_of(study(), ("base",), ({"loss": "first_choice"},))


def test_a_reader_s_default_study_needs_no_training(runs_folder, no_work, tmp_path, monkeypatch):
    """The committed tables of the quick profile hold all that the notebooks ask for."""
    monkeypatch.setenv("CASADV_FIGURES", str(tmp_path))  # nothing was made here
    found = results_of(Study("quick"), ("base", "adv_cas"), ({}, {"k": 5}), (1.0, 10.0, 30.0),
                       ("literal",))
    assert list(found.runs["backbone"].unique()) == ["sasrec", "gru4rec"]
    assert not runs_folder.exists()


def test_attacks_that_a_stored_run_lacks_join_it(study, tmp_path, runs_folder):
    own, folder = study(), tmp_path / "figures" / "made" / "quick"
    base, names = own.run("base"), {k: attack_name(k=k) for k in (1, 2, 3)}
    runs.run_attack(base, k=2)
    assert collect.collect({})[0].runs.empty
    store({base: ["main"]}, folder, "quick")
    before = read_ranks(folder, base.name)
    shutil.rmtree(runs_folder)
    base = own.run("base")
    for options in ({}, {"k": 3}, {"loss": "first_choice"}, {"pick": "random", "seed": 1}):
        runs.run_attack(base, **options)  # no column tells the last two from others
    store({base: ["main"]}, folder, "quick", keep=True)
    kept, ranks = read_results(folder), read_ranks(folder, base.name)
    assert kept.attacks["attack"].tolist() == [name for name in (names[2], names[1], names[3])
                                               for _ in EXCLUDES]
    assert len(kept.runs) == 4 and set(kept.runs["roles"]) == {"main"}
    assert {key: ranks[key].tolist() for key in before} == {
        key: one.tolist() for key, one in before.items()}
    assert known(folder).attacks == {base.name: set(names.values())}
    # a run with other numbers is another run: nothing of it joins
    metrics = base.metrics
    metrics["last"]["test"]["ndcg@10"] += 1e-9
    write_json(base.folder / "metrics.json", metrics)
    runs.run_attack(base, positions="first")
    store({base: ["main"]}, folder, "quick", keep=True)
    assert read_results(folder).attacks.equals(kept.attacks)


def test_a_row_of_a_table_that_is_made_again_stays_in_its_place():
    before = read_results(frames.root() / "figures" / "paper").datasets
    first, second, *others = before["dataset"]
    rows = [{"dataset": "own"}, {"dataset": second, "users": 2}]
    after = collect._newer("datasets", before, rows, ["dataset"]).set_index("dataset")
    assert [*after.index] == [first, second, *others, "own"] and after.loc[second, "users"] == 2
