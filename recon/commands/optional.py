"""How flags that may be left out look in the help: `INT`, and no talk of None."""

import dataclasses
from types import UnionType
from typing import Any, Union, get_args

from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    UnsupportedTypeAnnotationError,
)

REGISTRY = ConstructorRegistry()


@REGISTRY.primitive_rule
def optional(
    info: PrimitiveTypeInfo,
) -> PrimitiveConstructorSpec[Any] | UnsupportedTypeAnnotationError | None:
    """Take `X | None` as X: leaving the flag out is how to say None."""
    kinds = get_args(info.type)
    if info.type_origin not in (Union, UnionType) or len(kinds) != 2 or type(None) not in kinds:
        return None
    kind = kinds[0] if kinds[1] is type(None) else kinds[1]
    inner = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, info.markers))
    if isinstance(inner, UnsupportedTypeAnnotationError):
        return inner

    def is_instance(value: Any) -> Any:
        return value is None or inner.is_instance(value)

    def written(value: Any) -> list[str]:
        return ["none"] if value is None else inner.str_from_instance(value)

    return dataclasses.replace(inner, is_instance=is_instance, str_from_instance=written)
