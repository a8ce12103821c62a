import pytest

from hw9.quiz.checks import paths
from hw9.quiz.facts import Facts
from hw9.quiz.keys import NotAsked, Ordered
from hw9.quiz.rules import RULES, key

VALUES = {
    "far": [0.1, 0.9, 0.5],
    "near": [0.1, 0.9, 0.89],
    "alike": [0.5, 0.5, 0.5],
    "holes": [None, 0.9, 0.5],
    "one": [None, 0.9, None],
    "none": [None, None, None],
    "texts": ["x", True, "0.9"],
    "short": [0.1, 0.9],
    "empty": [],
    "half": 0.5,
    "word": "x",
    "huge": [10**299, 1, 2],
}
FACTS = Facts("cnn", "data", "0" * 8, {"f": VALUES})


def made(rule, kind="one", margin=0.02, options="abc"):
    return key(rule, FACTS, list(options), kind=kind, margin=margin)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"fixed": ["b"]}, "b", "ac"),
        ({"highest": "f.far"}, "b", "ac"),
        ({"lowest": "f.far"}, "a", "bc"),
        ({"highest": "f.near"}, "bc", "a"),
        ({"lowest": "f.near"}, "a", "bc"),
        ({"highest": "f.far", "except": ["b"]}, "c", "ab"),
        ({"highest": "f.holes"}, "b", "ac"),
        ({"lowest": "f.holes"}, "c", "ab"),
        ({"highest": "f.huge"}, "a", "bc"),
        ({"above": "f.far", "than": 0.4}, "bc", "a"),
        ({"below": "f.far", "than": "f.half"}, "ac", "b"),  # 0.5 is within the margin of 0.5
        ({"bin": "f.half", "edges": [0.3]}, "b", "ac"),
        ({"bin": "f.half", "edges": [0.3, 0.49]}, "bc", "a"),
        ({"bin": "f.half", "edges": [0.6, 0.7]}, "a", "bc"),
    ],
)
def test_one_option_is_right_or_each_of_those_within_the_margin(rule, right, wrong):
    found = made(rule)
    assert [option for option in "abc" if found.fits((option,))] == list(right)
    assert not any(found.fits((option,)) for option in wrong)
    assert not found.fits(()) and not found.fits(("a", "b")) and not found.fits(0.5)
    assert found.because


@pytest.mark.parametrize(
    ("rule", "right"),
    [
        ({"fixed": ["a", "c"]}, ["ac"]),
        ({"above": "f.far", "than": 0.4}, ["bc"]),
        ({"below": "f.far", "than": 0.4}, ["a"]),
        ({"above": "f.near", "than": 0.88}, ["b", "bc"]),  # 0.89 with or without: but 0.9 by no more than the margin
        ({"above": "f.holes", "than": 0.4}, ["bc", "abc"]),  # nobody knows about a
    ],
)
def test_many_options_all_of_them_and_none_beside(rule, right):
    margin = 0.01 if rule.get("than") == 0.88 else 0.02
    found = made(rule, "many", margin)
    sets = ["", "a", "b", "c", "ab", "ac", "bc", "abc"]
    assert [one for one in sets if found.fits(tuple(one))] == [one for one in sets if one in right]


def test_an_order_lets_neighbours_within_the_margin_change_places():
    rule = {"order": "f.near"}
    assert made(rule, "order").fits(("b", "c", "a")) and made(rule, "order").fits(("c", "b", "a"))
    assert not made(rule, "order").fits(("a", "b", "c"))
    assert Ordered({"a": 0.4, "b": 0.1}, 0.3, "").fits(("b", "a")), (
        "at exactly the margin, whatever binary fractions say"
    )
    assert not made(rule, "order", 0.0).fits(("c", "b", "a"))
    assert made({**rule, "from": "lowest"}, "order").fits(("a", "c", "b"))
    assert made({"fixed": ["c", "a", "b"]}, "order").fits(("c", "a", "b"))
    for wrong in (("b", "c"), ("b", "c", "a", "a"), (), ("b", "b", "a")):
        assert not made(rule, "order").fits(wrong)


def test_a_number_is_right_within_its_distance():
    found = made({"value": "f.half", "within": 0.1}, "number", options="")
    assert [found.fits(one) for one in (0.39, 0.4, 0.5, 0.6, 0.61)] == [False, True, True, True, False]
    assert made({"fixed": 3}, "number", options="").fits(3.0)
    assert not found.fits(("a",))


@pytest.mark.parametrize(("given", "kind"), [(["b", "z"], "many"), (["z"], "one"), (["a", "b", "z"], "order")])
def test_a_fixed_option_that_a_run_does_not_make_counts_for_nobody(given, kind):
    with pytest.raises(NotAsked, match="this run has no option z"):
        made({"fixed": given}, kind)


@pytest.mark.parametrize("name", sorted(VALUES))
@pytest.mark.parametrize("rule", sorted(set(RULES) - {"fixed"}))
def test_a_rule_gives_a_key_or_says_why_not_whatever_the_facts(rule, name):
    """Total: no other error, for any value of a fact, as a file that was tampered with may hold it."""
    spec = RULES[rule]
    extra = {"than": 0.4, "within": 0.1, "edges": [0.2, 0.6]}
    for kind in spec.kinds:
        for path in (f"f.{name}", f"f.{name}.0", f"f.{name}.7", "f", "g.x", "f.far.0.0"):
            try:
                found = made({rule: path, **{need: extra[need] for need in spec.needs}}, kind)
            except NotAsked as error:
                assert str(error)
            else:
                assert found.because and str(found)


@pytest.mark.parametrize("name", ["alike", "one", "none", "empty", "short", "texts", "word"])
def test_where_nothing_can_be_told_nobody_is_asked(name):
    for rule in ({"highest": f"f.{name}"}, {"lowest": f"f.{name}"}):
        with pytest.raises(NotAsked):
            made(rule)
    with pytest.raises(NotAsked):
        made({"order": f"f.{name}"}, "order")
    if name != "one":
        with pytest.raises(NotAsked):
            made({"above": f"f.{name}", "than": 0.5}, "many")


def test_no_option_above_or_every_one_is_no_question():
    for kind, than in (("many", 0.95), ("one", 0.95), ("one", 0.05)):
        with pytest.raises(NotAsked):
            made({"above": "f.far", "than": than}, kind)


def test_the_facts_that_a_rule_reads():
    assert paths({"above": "a.b", "than": "c.d.{picture}"}) == ["a.b", "c.d.{picture}"]
    assert paths({"fixed": ["a"]}) == [] and paths({"highest": "a.b", "except": ["0"]}) == ["a.b"]
