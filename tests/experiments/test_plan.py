"""The plan: which jobs a profile has, in which order, what each needs, and what is chosen."""

import hashlib
from collections import Counter

import pytest

from casadv_lib.adversarial import METHODS
from casadv_lib.experiments import plan as planning
from casadv_lib.experiments.configuration import FAMILY, chosen, configure
from casadv_lib.experiments.plan import CANDIDATES, CORE, EPSILONS, PAPER_STAGES, plan, stages_of

ELEVEN, SWEEP, SEEDS = {"main": 11}, {"main": 1, "sweep": 8}, {"seed": 8}
DRAWN, ATTACKED, ONE_EACH = [21] + 5 * [23], [21] + 6 * [23], 18 * [1]
# {stage: (runs by role, attacks a run, a hash of which runs these are)}. Another hash: stored runs
# would no longer be found. None: choices are still to be made on validation.
STAGES = {
    "quick/methods-sasrec": (ELEVEN, DRAWN, "c77fc6b7"),
    "quick/methods-gru4rec": (ELEVEN, DRAWN, "f6439454"),
    "quick/sweep-sasrec": (SWEEP, [], "82b20ee2"),
    "quick/sweep-gru4rec": (SWEEP, [], "9f2bae6a"),
    "quick/switches-sasrec": ({"main": 1, "switch": 11}, [], "7556f31e"),
    "laptop/methods-sasrec": (ELEVEN, DRAWN, None),
    "laptop/methods-gru4rec": (ELEVEN, DRAWN, None),
    "laptop/sweep-sasrec": (SWEEP, [], None),
    "laptop/sweep-gru4rec": (SWEEP, [], None),
    "paper/beauty-sasrec": (ELEVEN, ATTACKED, None),
    "paper/video-sasrec": (ELEVEN, ATTACKED, "bc3f0584"),
    "paper/beauty-gru4rec": (ELEVEN, ATTACKED, None),
    "paper/video-gru4rec": (ELEVEN, ATTACKED, None),
    "paper/sweep-sasrec": (SWEEP, [], "7a8f1ed8"),
    "paper/sweep-gru4rec": (SWEEP, [], "7810df09"),
    "paper/values-beauty": ({"main": 1, "values": 4}, [], "98575419"),
    "paper/values-video": ({"main": 1, "values": 4}, [], "8dc573a5"),
    "paper/trade-off-beauty": ({"main": 1, "trade-off": 18}, ONE_EACH, None),
    "paper/trade-off-video": ({"main": 1, "trade-off": 18}, ONE_EACH, "c7634d01"),
    "paper/ml-1m-sasrec": (ELEVEN, ATTACKED, None),
    "paper/ml-1m-gru4rec": (ELEVEN, ATTACKED, None),
    "paper/clothing-sasrec": (ELEVEN, ATTACKED, None),
    "paper/clothing-gru4rec": (ELEVEN, ATTACKED, None),
    "paper/seeds-sasrec": (SEEDS, [], "f078c8ed"),
    "paper/seeds-gru4rec": (SEEDS, [], "4034ca89"),
}


def planned(stage, **options):
    profile, name = stage.split("/")
    return plan(profile, stages_of(profile, names=[name]), device="auto", **options)


def of_role(jobs, role):
    return [job for job in jobs.values() if job.role == role and not job.attacks]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_its_jobs(stage):
    jobs, (roles, attacks, digest) = planned(stage), STAGES[stage]
    made = [job for job in jobs.values() if not job.attacks and job.role != "trial"]
    assert Counter(job.role for job in made) == roles
    assert [len(job.attacks) for job in jobs.values() if job.attacks] == attacks
    seen = set()
    for job in jobs.values():  # each after all that it needs
        assert set(job.needs) <= seen
        seen.add(job.name)
    if digest:
        assert not of_role(jobs, "trial") and not any(job.family for job in jobs.values())
        names = sorted(f"{job.name} {short(job.config().identity(''), 10)}" for job in made)
        assert short("\n".join(names), 8) == digest


def short(text, length):
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def test_the_stages_above_are_all_there_are():
    found = [f"{profile}/{stage.name}" for profile in ("quick", "laptop", "paper")
             for stage in stages_of(profile, names=["all"])]
    assert found == list(STAGES)
    assert [stage.name for stage in stages_of("paper")] == list(CORE)
    assert list(CORE) == [name.removeprefix("paper/") for name in STAGES if "paper/" in name][:10]


def test_stages_can_be_narrowed():
    assert {s.backbone for s in stages_of("paper", backbone="gru4rec")} == {"gru4rec"}
    assert stages_of("paper", names=["all"]) == list(PAPER_STAGES)
    assert {s.dataset for s in stages_of("paper", dataset="clothing")} == {"clothing"}
    own = stages_of("paper", dataset="own.txt", backbone="causalcnn")
    assert [s.name for s in own] == ["methods-causalcnn", "sweep-causalcnn"]
    with pytest.raises(ValueError, match="stages is 'vidoe'; allowed"):
        stages_of("paper", names=["vidoe"])


def test_the_attacks_of_figures_5_and_6():
    attacked = {job.asked["method"]: list(job.attacks)
                for job in planned("paper/video-sasrec").values() if job.attacks}
    assert set(attacked) == {"base", "base+100", "adv_linear", "adv_global", "adv_cas",
                             "neighbour", "adv_neighbour"}
    wanted = [{"positions": "first"}, {"positions": "middle"}]
    wanted += [{"k": k, "pick": pick} for k in range(1, 6)
               for pick in ("gradient", "nearest", "random")]
    wanted += [{"step": 0.25}, {"step": 0.5}, {"step": 1.0}, {"pick": "halfspace"}]
    assert attacked.pop("base") == wanted  # its own substitutes
    wanted += [{"k": 1, "surrogate": "base"}, {"k": 5, "surrogate": "base"}]
    assert list(attacked.values()) == [wanted] * 6


def test_the_trade_off_is_a_curve_a_method_with_the_last_item_attacked():
    jobs = planned("paper/trade-off-video")
    sizes, other = [1.0, 3.0, 10.0, 20.0], "replace_probability"
    for method, name, values, rest in (
            ("adv_linear", "epsilon", sizes, {}), ("adv_cas", "epsilon", sizes, {"lambda1": 0.1}),
            ("adv_global", "epsilon", sizes, {"lambda1": 0.1}),
            ("neighbour", other, [0.1, 0.2, 0.5], {}),
            ("adv_neighbour", "epsilon", sizes[1:], {other: 0.2})):
        own = [job for job in of_role(jobs, "trade-off") if job.asked["method"] == method]
        configs = [job.config() for job in own]
        assert [c.everything()[name] for c in configs] == values
        assert all(rest.items() <= c.everything().items() and c.adv_epochs == 10 for c in configs)
        for job in own:
            attacks = jobs[f"{job.name} attacks"]
            assert attacks.attacks == ({},) and attacks.config() == job.config()


def test_the_sweep_varies_epsilon_and_keeps_the_chosen_lambda1():
    made = [job.config() for job in of_role(planned("paper/sweep-sasrec"), "sweep")]
    assert [c.adversarial.epsilon for c in made] == list(EPSILONS)
    assert {c.adversarial.lambda1 for c in made} == {0.1} and {c.dataset for c in made} == {"video"}


def test_the_papers_values_stand_beside():
    made = [job.config() for job in of_role(planned("paper/values-beauty"), "values")]
    assert [(c.adversarial.scope, c.method) for c in made] == [
        ("batch", "adv_global"), ("batch", "adv_cas"),
        ("literal", "adv_global"), ("literal", "adv_cas")]
    values = {(c.adversarial.epsilon, c.adversarial.lambda1, c.adversarial.lambda2) for c in made}
    assert values == {(10.0, 1.0, 1.0)}


def test_a_run_that_asks_what_a_value_does_goes_on_after_a_collapse():
    """Its scores are the answer; a run of a method that collapses is to be looked at."""
    jobs = plan("paper", stages_of("paper"), choose=True)
    health = {role: {job.asked.get("health") for job in of_role(jobs, role)}
              for role in (*planning.ASKING, "main")}
    assert health == {**dict.fromkeys(planning.ASKING, {"note"}), "main": {None}}
    strict = planned("paper/sweep-sasrec", health="stop")
    assert {job.asked["health"] for job in of_role(strict, "sweep")} == {"stop"}


# ------------------------------------------------------------------ choices


def test_every_perturbing_method_has_a_family_with_candidates():
    assert set(FAMILY) == set(METHODS) - {"base+100"}
    assert set(FAMILY.values()) == set(CANDIDATES)
    for family, candidates in CANDIDATES.items():
        method, values = METHODS[family], {name: {c.get(name) for c in candidates} for name in (
            "epsilon", "lambda1", "replace_probability")}
        sizes = {1.0, 3.0, 10.0, 20.0} if not method.replaces else {3.0, 10.0, 20.0}
        assert values["epsilon"] == (sizes if method.level1 or method.level2 else {None})
        assert values["replace_probability"] == ({0.1, 0.2, 0.5} if method.replaces else {None})
        if not method.replaces:
            assert values["lambda1"] == ({0.1, 1.0} if method.level1 == "distance" else {1.0})
        assert len({tuple(c.items()) for c in candidates}) == len(candidates)


def test_of_equals_the_first_is_taken():
    assert planning.best("adv_linear", [0.1, 0.2, 0.2, 0.1]) == {"epsilon": 3.0, "lambda1": 1.0}
    over = [{"epsilon": 3.0, "lambda1": 1.0, "epoch": 583}]  # its whole run collapsed
    assert planning.best("adv_linear", [0.1, 0.2, 0.15, 0.1], over)["epsilon"] == 10.0
    assert planning.best("adv_neighbour", [0.1] * 9) == {"replace_probability": 0.1, "epsilon": 3.0}


def test_where_no_choice_is_known_each_family_gets_the_same_chance():
    for jobs in (planned("paper/ml-1m-sasrec"), planned("quick/methods-sasrec", choose=True),
                 plan("quick", stages_of("quick", "own.csv", "causalcnn"))):
        trials = of_role(jobs, "trial")
        assert Counter(job.asked["method"] for job in trials) == {
            family: len(candidates) for family, candidates in CANDIDATES.items()}
        assert {job.config().adv_epochs for job in trials} == {10}
    jobs = planned("paper/ml-1m-sasrec")
    guided, attacks = (jobs[f"ml-1m sasrec adv_cas{words}"] for words in ("", " attacks"))
    assert guided.family == "adv_global" and len(guided.needs) == 1 + 8
    assert guided.needs[0] == "ml-1m sasrec base" and set(attacks.needs) == {
        guided.name, *guided.needs[1:]}
    config = guided.config({"epsilon": 20.0, "lambda1": 0.1})
    assert (config.adversarial.epsilon, config.adv_epochs) == (20.0, 100)
    assert jobs["ml-1m sasrec base+100"].needs == ("ml-1m sasrec base",)


def test_a_known_choice_is_that_of_the_profile_and_asks_for_no_trials():
    asked = {"profile": "paper", "dataset": "beauty", "backbone": "sasrec", "method": "adv_cas"}
    for method in ("adv_global", "adv_cas", "adv_random"):
        config = configure(**asked | {"method": method})
        assert (config.adversarial.epsilon, config.adversarial.lambda1) == (3.0, 0.1)
    for other in ({"profile": "laptop"}, {"dataset": "ml-1m"}, {"backbone": "causalcnn"},
                  {"epochs": 5}, {"dim": 8}):
        assert chosen(configure(**asked | other).everything()) == {}
    # trials with `choose`, but the runs take what is known
    jobs = planned("paper/beauty-sasrec", choose=True)
    assert jobs["beauty sasrec adv_cas"].family is None
    assert len(of_role(jobs, "trial")) == sum(map(len, CANDIDATES.values()))


def test_named_values_leave_the_choice_out():
    jobs = plan("quick", stages_of("quick", "own.csv", "causalcnn"), epsilon=2.0)
    assert {job.asked["method"] for job in of_role(jobs, "trial")} == {"neighbour"}
    assert jobs["own causalcnn adv_cas"].config().adversarial.epsilon == 2.0
    config = configure("paper", "beauty", "sasrec", "adv_cas", epsilon=2)
    assert (config.adversarial.epsilon, config.adversarial.lambda1) == (2.0, 0.1)
    literal = planned("quick/switches-sasrec")["synthetic sasrec adv_cas literal"].config()
    assert (literal.adversarial.scope, literal.adversarial.epsilon) == ("literal", 10.0)


def test_more_seeds_run_with_the_choice_of_the_first():
    jobs = planned("paper/seeds-sasrec", choose=True)
    assert {job.asked["seed"] for job in of_role(jobs, "trial")} == {0}
    job = jobs["video sasrec adv_linear seed 2"]
    assert "video sasrec base seed 2" in job.needs and job.config().seed == 2
