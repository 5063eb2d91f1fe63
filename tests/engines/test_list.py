"""The list of engines: names, the error for one that does not exist, and an engine added for the session."""

import pytest

from xtendsrc import engines
from xtendsrc.engines.protocol import Engine
from xtendsrc.errors import RequestError


def test_the_built_in_engines_keep_the_contract():
    assert engines.engines()[:2] == ("heasoft", "native")
    for name in ("heasoft", "native"):
        found = engines.engine(name)
        assert isinstance(found, Engine)
        assert found.name == name


def test_an_engine_that_does_not_exist_is_refused_with_the_nearest_name():
    with pytest.raises(RequestError, match="auto, heasoft, native"):
        engines.engine_name("numpy")
    with pytest.raises(RequestError, match="did you mean 'native'"):
        engines.engine_name("natve")
