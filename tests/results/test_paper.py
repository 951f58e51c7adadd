"""The open places of the paper."""

from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results.paper import readings


def test_readings_are_whole_and_each_switch_is_a_setting_of_its_reading():
    table = readings()
    assert table.index.tolist() == list(range(1, 25))
    assert (table[["question", "default", "others"]] != "").all(axis=None)
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in SWITCHES.items():
        assert configure(method="adv_cas", **{"lambda1": 0.5, **settings}) != default, name
        setting = next(iter(settings))
        assert setting in table["setting"][number] or setting in ("epsilon", "lambda1",
                                                                  "level1_loss"), name
