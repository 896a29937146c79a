import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.view_files import file_stems


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("IMG_4026.JPG", "IMG_4026"),
        ("images/front/0001.png", "images_front_0001"),
        ("../../etc/passwd", "etc_passwd"),
        ("frame 1.5 (copy).jpeg", "frame_1.5_copy"),
        ("v1.2", "v1.2"),
        ("C:\\a\\b.png", "C_a_b"),
        (".hidden", "hidden"),
    ],
)
def test_names_stay_readable(name, stem):
    assert file_stems([name]) == {name: stem}


def test_names_that_would_be_the_same_are_told_apart():
    stems = file_stems(["a/b.png", "a_b.jpg", "A_B.png", "c.png", "日本", "日木"])
    assert stems["c.png"] == "c"
    assert all(re.fullmatch(r"[aA]_[bB]-[0-9a-f]{12}", stems[n]) for n in list(stems)[:3])
    assert all(re.fullmatch(r"[0-9a-f]{12}", stems[n]) for n in ("日本", "日木"))
    assert len(set(stems.values())) == 6


@given(st.lists(st.text(min_size=1, max_size=300), unique=True, max_size=30))
def test_stems_are_safe_and_unique_on_any_disk(names):
    stems = list(file_stems(names).values())
    assert list(file_stems(names)) == names
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", stem) for stem in stems)


@given(st.lists(st.text("aA/_.- ", min_size=1, max_size=4), unique=True, max_size=60))
def test_stems_of_names_that_differ_little_are_unique_too(names):
    stems = file_stems(names).values()
    assert len({stem.casefold() for stem in stems}) == len(names)
