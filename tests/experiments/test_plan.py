"""The plan: which jobs a profile has, in which order, what each needs, and what is chosen."""

import hashlib

import pytest

from casadv_lib.experiments import plan as planning
from casadv_lib.experiments.configuration import attack_name, choice, configure
from casadv_lib.experiments.plan import CORE, PAPER_STAGES, plan, stages_of
from casadv_lib.settings import PROFILES

CANDIDATES = planning.CANDIDATES["paper"]

# {profile: a hash of the runs and attacks of all its stages}. Another: stored ones are lost.
PLANS = {"quick": "fe5167b4", "films": "cd487112", "laptop": "24f56230", "paper": "3ac8a642",
         "sampled": "3265c45b", "ce": "70a4de7b", "gbce": "0a6465e0", "bce64": "5147f10a"}


def planned(stage, **options):
    profile, name = stage.split("/")
    return plan(profile, stages_of(profile, names=[name]), device="auto", **options)


def of_role(jobs, role):
    return [job for job in jobs.values() if job.role == role and not job.attacks]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_stage_has_its_jobs(profile):
    lines, stages = [], stages_of(profile, names=["all"])
    for stage in stages:
        jobs, seen = plan(profile, [stage], device="auto"), set()
        for job in jobs.values():  # each after all that it needs
            assert set(job.needs) <= seen
            seen.add(job.name)
            lines.append(f"{stage.name} {job.name} {job.config().run_name('')} "
                         f"{[attack_name(**options) for options in job.attacks]}")
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8] == PLANS[profile]
    if profile == "paper":
        assert [s.name for s in stages_of("paper")] == CORE == [s.name for s in stages][:10]


def test_stages_can_be_narrowed():
    assert {s.backbone for s in stages_of("paper", backbone="gru4rec")} == {"gru4rec"}
    assert stages_of("paper", names=["all"]) == PAPER_STAGES
    assert {s.dataset for s in stages_of("paper", dataset="clothing")} == {"clothing"}
    own = stages_of("paper", dataset="own.txt", backbone="causalcnn")
    assert [s.name for s in own] == ["methods-causalcnn", "sweep-causalcnn"]


def test_a_run_that_asks_what_a_value_does_goes_on_after_a_collapse():
    """Its scores are the answer; a run of a method that collapses is to be looked at."""
    jobs = plan("paper", stages_of("paper"), choose=True)
    health = {role: {job.asked.get("health") for job in of_role(jobs, role)}
              for role in (*planning.ASKING, "main")}
    assert health == {**dict.fromkeys(planning.ASKING, {"note"}), "main": {None}}
    strict = planned("paper/sweep-sasrec", health="stop")
    assert {job.asked["health"] for job in of_role(strict, "sweep")} == {"stop"}


# ------------------------------------------------------------------ choices


def test_of_equals_the_first_is_taken(monkeypatch):
    job = planned("paper/ml-1m-sasrec", choose=True)["ml-1m sasrec choice adv_linear"]

    def best(*scores):
        rows = [{"family": "adv_linear", "ndcg@10": score} | candidate
                for score, candidate in zip(scores, CANDIDATES["adv_linear"])]
        tried = planning.decide(job, rows)
        assert [row["chosen"] for row in tried].count(True) == 1
        return planning.chosen_values(tried)

    assert best(0.1, 0.2, 0.2, 0.1) == {"epsilon": 3.0, "lambda1": 1.0}
    over = [{"epsilon": 3.0, "lambda1": 1.0, "epoch": 583}]  # its whole run collapsed
    monkeypatch.setattr(planning, "choice", lambda settings: {"collapsed": over})
    assert best(0.1, 0.2, 0.15, 0.1)["epsilon"] == 10.0


def test_where_no_choice_is_known_each_family_gets_the_same_chance():
    unknown = plan("paper", stages_of("paper", "own.csv", "sasrec"))
    for jobs in (unknown, planned("quick/methods-sasrec", choose=True),
                 plan("quick", stages_of("quick", "own.csv", "causalcnn"))):
        assert {job.config().adv_epochs for job in of_role(jobs, "trial")} == {10}
        choices = {job.asked["method"]: job.needs for job in of_role(jobs, "choice")}
        assert choices.keys() == CANDIDATES.keys()
        for family, needs in choices.items():
            assert [{name: jobs[need].asked[name] for name in CANDIDATES[family][0]}
                    for need in needs] == CANDIDATES[family]
    guided, attacks = (unknown[f"own sasrec adv_cas{words}"] for words in ("", " attacks"))
    assert guided.needs == ("own sasrec base", "own sasrec choice adv_global")
    assert attacks.needs == (guided.name, "own sasrec choice adv_global")
    tried = [row | {"family": "adv_global", "chosen": i == 3}
             for i, row in enumerate(CANDIDATES["adv_global"])]
    for job in (guided, attacks):
        config = job.config(None, tried)
        assert (config.adversarial.epsilon, config.adversarial.lambda1) == (20.0, 0.1)
        assert config.adv_epochs == 100
    assert unknown["own sasrec base+100"].needs == ("own sasrec base",)


def test_a_known_choice_is_that_of_the_profile_and_asks_for_no_trials():
    asked = {"profile": "paper", "dataset": "beauty", "backbone": "sasrec", "method": "adv_cas"}
    for method in ("adv_global", "adv_cas", "adv_random"):
        config = configure(**asked | {"method": method})
        assert (config.adversarial.epsilon, config.adversarial.lambda1) == (3.0, 0.1)
    for other in ({"profile": "laptop"}, {"backbone": "causalcnn"},
                  {"epochs": 5}, {"dim": 8}, {"loss": "sampled"}, {"negatives": 2}):
        assert choice(configure(**asked | other).everything())["chosen"] == {}
    assert not of_role(planned("paper/beauty-sasrec"), "trial")
    # trials with `choose`, but the runs take what is known
    jobs = planned("paper/beauty-sasrec", choose=True)
    assert jobs["beauty sasrec adv_cas"].needs == ("beauty sasrec base",)
    assert len(of_role(jobs, "trial")) == sum(map(len, CANDIDATES.values()))


def test_named_values_leave_the_choice_out():
    jobs = plan("quick", stages_of("quick", "own.csv", "causalcnn"), epsilon=2.0)
    assert {job.asked["method"] for job in of_role(jobs, "trial")} == {"neighbour"}
    assert jobs["own causalcnn adv_cas"].config().adversarial.epsilon == 2.0
    config = configure("paper", "beauty", "sasrec", "adv_cas", epsilon=2)
    assert (config.adversarial.epsilon, config.adversarial.lambda1) == (2.0, 0.1)
    literal = planned("quick/switches-sasrec")["synthetic sasrec adv_cas literal"].config()
    assert (literal.adversarial.scope, literal.adversarial.epsilon) == ("literal", 10.0)
    films = planned("films/methods-sasrec")  # the profile names the paper's
    assert {job.asked["method"] for job in of_role(films, "trial")} == {"neighbour"}


def test_trials_are_no_longer_than_the_runs_that_were_asked_for():
    trials = of_role(planned("paper/beauty-sasrec", choose=True, adv_epochs=2), "trial")
    assert trials and {job.asked["adv_epochs"] for job in trials} == {2}
