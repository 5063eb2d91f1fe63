"""Source names as file names."""

from hypothesis import example, given
from hypothesis import strategies as st

from xtendsrc.source.filenames import safe_name


@given(st.text(max_size=300))
@example("../../etc/passwd")
@example("a/b")
@example("..")
@example("")
@example("con")
def test_a_name_is_one_harmless_path_component(name):
    safe = safe_name(name)
    assert safe
    assert "/" not in safe
    assert "\\" not in safe
    assert ".." not in safe
    assert not safe.startswith((".", "-"))
    assert len(safe.encode()) <= 100
    assert all(c.isprintable() for c in safe)


def test_letters_of_every_script_are_kept():
    assert safe_name("Вега") == "Вега"
    assert safe_name("LMC N132D") == "LMC_N132D"


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
@example("a/b", "a\\b")
@example("a b", "a_b")
@example("x" * 30, "x" * 29)
def test_different_names_share_no_file(first, second):
    import unicodedata

    if unicodedata.normalize("NFC", first).strip() != unicodedata.normalize("NFC", second).strip():
        assert safe_name(first).lower() != safe_name(second).lower() or first.lower() == second.lower()
