"""The plan: which jobs a profile has, in which order, and what each needs."""

import pytest

from casadv_lib.experiments import plan as planning
from casadv_lib.experiments.configuration import PROFILES, identity
from casadv_lib.experiments.plan import CORE, EPSILONS, PAPER_STAGES, plan, stages_of
from casadv_lib.experiments.selection import CANDIDATES
from casadv_lib.results.readings import COMPARED
from casadv_lib.results.records import METHOD_ORDER
from casadv_lib.settings import PRESETS


def configs(found, chosen=None):
    """Of all runs but the trials; chosen: epsilon and lambda1 where they are to be chosen."""
    return [job.config(chosen) for job in found.jobs.values()
            if not job.attacks and job.role != "trial"]


CHOSEN = {"epsilon": 10.0, "lambda1": 0.1, "replace_probability": 0.5}


def test_the_quick_plan():
    found = plan("quick", stages_of("quick"))
    for backbone in ("sasrec", "gru4rec"):
        chosen = {"epsilon": 3.0, "lambda1": 0.1}
        own = {identity(c, ""): c for c in configs(found, chosen)
               if c["backbone"] == backbone}.values()
        assert {c["method"] for c in own} == set(METHOD_ORDER)
        guided = [c for c in own if c["method"] == "adv_cas"]
        assert {c["epsilon"] for c in guided} == set(EPSILONS)
        # one of the two switches of lambda1 is what was chosen
        assert len(guided) == len(EPSILONS) + (len(COMPARED) - 1 if backbone == "sasrec" else 0)


def test_every_profile_gives_each_family_the_same_chance():
    for profile in PROFILES:
        for stage in stages_of(profile):
            if stage.methods == METHOD_ORDER:
                tried = [job.name for job in plan(profile, [stage]).of_role("trial")]
                assert len(tried) == sum(map(len, CANDIDATES.values()))


def test_a_preset_overrules_what_was_chosen():
    found = plan("quick", stages_of("quick", backbone="sasrec"))
    [job] = [job for job in found.of_role("switch") if job.name.endswith(" literal")]
    config = job.config({"epsilon": 3.0, "lambda1": 0.1})
    assert config.items() >= PRESETS["literal"].items()


def test_a_run_that_asks_what_a_value_does_goes_on_after_a_collapse():
    """Its scores are the answer; a run of a method that collapses is to be looked at."""
    found = plan("paper", stages_of("paper"))
    of = {role: {job.asked.get("health") for job in found.of_role(role)}
          for role in (*planning.ASKING, "main")}
    assert of == {**dict.fromkeys(("trial", "sweep", "values", "trade-off"), {"note"}),
                  "main": {None}}
    strict = plan("paper", stages_of("paper", names=["sweep-sasrec"]), health="stop")
    assert {job.asked["health"] for job in strict.of_role("sweep")} == {"stop"}


def test_a_job_comes_after_all_that_it_needs():
    for profile, names in (("quick", None), ("paper", ["all"]), ("laptop", None)):
        seen = set()
        for job in plan(profile, stages_of(profile, names=names)).jobs.values():
            assert set(job.needs) <= seen, job
            seen.add(job.name)


def test_the_order_of_the_paper():
    stages = [stage.name for stage in stages_of("paper")]
    assert stages == ["beauty-sasrec", "video-sasrec", "beauty-gru4rec", "video-gru4rec",
                      "sweep-sasrec", "sweep-gru4rec", "values-beauty", "values-video",
                      "trade-off-beauty", "trade-off-video"]
    assert tuple(stages) == CORE
    jobs = plan("paper", stages_of("paper")).jobs.values()
    main = [job.asked["method"] for job in jobs
            if job.stage == "beauty-sasrec" and job.role == "main" and not job.attacks]
    assert main == list(METHOD_ORDER)


def test_attacks_and_trials_of_the_paper():
    found = plan("paper", stages_of("paper", names=["video-sasrec"]))
    attacked = {job.asked["method"]: list(job.attacks) for job in found.jobs.values()
                if job.attacks}
    assert set(attacked) == {"base", "base+100", "adv_linear", "adv_global", "adv_cas",
                             "neighbour", "adv_neighbour"}
    wanted = [{"positions": "first"}, {"positions": "middle"}]
    wanted += [{"k": k, "pick": pick} for k in range(1, 6)
               for pick in ("gradient", "nearest", "random")]
    wanted += [{"step": 0.25}, {"step": 0.5}, {"step": 1.0}, {"pick": "halfspace"}]
    assert attacked.pop("base") == wanted  # its own substitutes
    wanted += [{"k": 1, "surrogate": "base"}, {"k": 5, "surrogate": "base"}]
    assert list(attacked.values()) == [wanted] * 6
    assert len(found.of_role("trial")) == 4 + 4 + 8 + 3 + 9
    guided = found.jobs["video sasrec adv_cas"]
    assert guided.needs[0] == "video sasrec base" and len(guided.needs) == 1 + 8
    assert guided.config() is None  # nothing is chosen yet
    chosen = guided.config(CHOSEN)
    assert (chosen["epsilon"], chosen["lambda1"], chosen["adv_epochs"]) == (10.0, 0.1, 100)
    assert found.jobs["video sasrec base+100"].needs == ("video sasrec base",)


def test_the_trade_off_is_a_curve_a_method_with_the_last_item_attacked():
    found = plan("paper", stages_of("paper", names=["trade-off-video"]))
    made = found.of_role("trade-off")
    sizes, other = [1.0, 3.0, 10.0, 20.0], "replace_probability"
    for method, name, values, rest in (
            ("adv_linear", "epsilon", sizes, {}), ("adv_cas", "epsilon", sizes, {"lambda1": 0.1}),
            ("adv_global", "epsilon", sizes, {"lambda1": 0.1}),
            ("neighbour", other, [0.1, 0.2, 0.5], {}),
            ("adv_neighbour", "epsilon", sizes[1:], {other: 0.5})):
        own = [job for job in made if job.asked["method"] == method]
        assert all(job.config() is None for job in own)  # the rest is to be chosen
        config = [job.config(CHOSEN) for job in own]
        assert [c[name] for c in config] == values
        assert all(rest.items() <= c.items() and c["adv_epochs"] == 10 for c in config)
        for job in own:
            attacks = found.jobs[f"{job.name} attacks"]
            assert attacks.attacks == ({},) and attacks.config(CHOSEN) == job.config(CHOSEN)
    assert len(made) == 4 + 4 + 4 + 3 + 3


def test_the_sweep_varies_epsilon_and_keeps_the_chosen_lambda1():
    found = plan("paper", stages_of("paper", names=["sweep-gru4rec"]))
    made = [job.config({"epsilon": 10.0, "lambda1": 0.1}) for job in found.of_role("sweep")]
    assert [c["epsilon"] for c in made] == list(EPSILONS)
    assert {c["lambda1"] for c in made} == {0.1} and {c["dataset"] for c in made} == {"video"}


def test_the_papers_values_stand_beside():
    found = plan("paper", stages_of("paper", names=["values-beauty"]))
    made = [job.config() for job in found.of_role("values")]
    assert [(c["scope"], c["method"]) for c in made] == [
        ("batch", "adv_global"), ("batch", "adv_cas"),
        ("literal", "adv_global"), ("literal", "adv_cas")]
    assert {(c["epsilon"], c["lambda1"], c["lambda2"]) for c in made} == {(10.0, 1.0, 1.0)}


def test_more_seeds_run_with_the_choice_of_the_first():
    found = plan("paper", stages_of("paper", names=["seeds-sasrec"]))
    assert {job.asked["seed"] for job in found.of_role("seed")} == {1, 2}
    assert {job.asked["seed"] for job in found.of_role("trial")} == {0}
    job = found.jobs["video sasrec adv_linear seed 2"]
    assert "video sasrec base seed 2" in job.needs
    assert job.config({"epsilon": 1.0, "lambda1": 1.0})["seed"] == 2


def test_named_values_leave_the_choice_out():
    found = plan("paper", stages_of("paper", names=["beauty-sasrec"]), epsilon=2.0)
    assert not found.of_role("trial")
    assert found.jobs["beauty sasrec adv_cas"].config()["epsilon"] == 2.0


def test_stages_can_be_narrowed():
    assert {s.backbone for s in stages_of("paper", backbone="gru4rec")} == {"gru4rec"}
    everything = stages_of("paper", names=["all"])
    assert everything == list(PAPER_STAGES)
    assert {s.dataset for s in stages_of("paper", dataset="clothing")} == {"clothing"}
    own = stages_of("paper", dataset="own.txt", backbone="causalcnn")
    assert [s.name for s in own] == ["methods-causalcnn", "sweep-causalcnn", "switches-causalcnn"]
    with pytest.raises(ValueError, match="stages is 'vidoe'; allowed"):
        stages_of("paper", names=["vidoe"])


def test_attacks_of_a_method_that_is_not_attacked():
    assert planning.attacks_of("adv_cas_1") == []
