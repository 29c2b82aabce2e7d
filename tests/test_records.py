"""`cygrad.records.dataclass` does what the dataclass of the standard library does."""

import copy
import dataclasses
import inspect
import pickle
from typing import Any, ClassVar

import pytest

from cygrad import records


def _classes(dataclass: Any, **options: Any) -> tuple[type, type, type]:
    """Return a class with all kinds of fields, one that inherits from it, and a plain subclass."""

    @dataclass(frozen=True, **options)
    class First:
        """A class."""

        kind: ClassVar[str] = "first"
        size: int
        name: str = "a"
        _: dataclasses.KW_ONLY
        items: list[int] = dataclasses.field(default_factory=list)
        flag: bool = False

        def __post_init__(self) -> None:
            object.__setattr__(self, "size", 2 * self.size)

    @dataclass(frozen=True, **options)
    class Second(First):
        """A class that inherits fields."""

        size: int = 3
        depth: float = 0.5

    class Third(Second):
        """A class without fields of its own."""

    for cls in (First, Second, Third):
        cls.__qualname__ = cls.__name__
    return First, Second, Third


OURS, STANDARD = _classes(records.dataclass), _classes(dataclasses.dataclass)
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "b"), {"flag": True}),
    ((), {"size": 4, "items": [1]}),
    ((), {}),
    ((1, "b", 2.5), {}),
    ((1, "b", 2.5, 4), {}),
    ((1,), {"size": 2}),
    ((1,), {"width": 2}),
]


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize(("values", "named"), CALLS)
def test_instances_are_made_alike(index, values, named):
    try:
        expected = STANDARD[index](*values, **named)
    except TypeError:
        with pytest.raises(TypeError, match=rf"^{OURS[index].__name__}\(\): .*argument"):
            OURS[index](*values, **named)
        return
    made = OURS[index](*values, **named)
    assert vars(made) == vars(expected)
    assert list(vars(made)) == [field.name for field in dataclasses.fields(expected)]
    assert repr(made) == repr(expected)
    assert dataclasses.asdict(made) == dataclasses.asdict(expected)


@pytest.mark.parametrize("index", range(3))
def test_signatures_are_alike(index):
    ours, standard = OURS[index], STANDARD[index]
    signature = inspect.signature(ours)
    assert list(signature.parameters) == list(inspect.signature(standard).parameters)
    for name, parameter in inspect.signature(standard).parameters.items():
        mine = signature.parameters[name]
        assert mine.kind == parameter.kind
        assert (mine.default is inspect.Parameter.empty) == (
            parameter.default is inspect.Parameter.empty
        )
        if name != "items":  # the standard one shows a placeholder for the function
            assert mine.default == parameter.default
    assert ours.__match_args__ == standard.__match_args__


def test_a_subclass_with_its_own_constructor_has_its_signature():
    class Own(OURS[0]):
        def __init__(self, width: int) -> None:
            super().__init__(width // 2)

    assert list(inspect.signature(Own).parameters) == ["width"]
    assert Own(8).size == 8


@pytest.mark.parametrize("index", range(3))
def test_equality_and_hash(index):
    ours = OURS[index]
    assert ours(1, "b") == ours(1, "b") != ours(1, "c")
    assert ours(1) != STANDARD[index](1)
    assert OURS[1](1) != OURS[2](1)
    assert ours(1, items=()) in {ours(1, items=())}
    assert hash(ours(1, items=())) == hash(STANDARD[index](1, items=()))
    with pytest.raises(TypeError, match="unhashable"):
        hash(ours(1))


def test_options_leave_methods_out():
    cls = _classes(records.dataclass, eq=False, repr=False)[0]
    assert cls(1) != cls(1)
    assert repr(cls(1)).startswith("<")
    assert len({cls(1), cls(1)}) == 2

    @records.dataclass(frozen=True, init=False)
    class Own:
        """A class with its own constructor."""

        size: int

        def __init__(self, width: int) -> None:
            object.__setattr__(self, "size", width)

    assert repr(Own(3)).endswith("Own(size=3)")
    assert list(inspect.signature(Own).parameters) == ["width"]


def test_methods_of_the_class_are_kept():
    @records.dataclass(frozen=True)
    class Own:
        """A class with its own methods."""

        size: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

    assert repr(Own(1)) == "own"
    assert Own(1) == Own(2)
    assert hash(Own(1)) == hash((1,))  # as of the standard one


def test_fields_cannot_be_assigned():
    for ours in OURS:
        made = ours(1)
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'size'"):
            made.size = 2
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'size'"):
            del made.size
        assert made.size == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        OURS[0](1).other = 2
    plain = OURS[2](1)
    plain.other = 2  # as with the standard one
    assert plain.other == 2
    del plain.other
    assert not hasattr(plain, "other")


@records.dataclass(frozen=True)
class Known:
    """A class that pickle finds."""

    size: int
    inner: Any = None


def test_copies_and_pickles():
    made = Known(3, [1])
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other == made
        assert type(other) is Known
    assert dataclasses.replace(made, size=4) == Known(4, [1])
    assert copy.deepcopy(made).inner is not made.inner


def test_a_record_inside_itself_is_shown_once():
    made = Known(1, [])
    made.inner.append(made)
    assert repr(made) == "Known(size=1, inner=[...])"


def test_only_frozen_classes_are_made():
    with pytest.raises(ValueError, match="frozen is False, expected True"):
        records.dataclass(frozen=False)
