"""Settings: YAML and ``key=value`` words into a frozen dataclass, by draccus; every error is one line.

A file may begin with ``base: other.yaml``, a path from its own folder, and then states only what differs.
A group of settings may do so too: ``training: {base: other.yaml, epochs: 3}`` takes the whole group of that
name of the other file, in place of what the base of its own file says of it, and changes it.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from apps.lab.errors import RunError, one_line


def load_config(config_class: type, path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Any:
    """Reads a configuration into a frozen dataclass, whose fields may be dataclasses too.

    Checks of values belong in ``__post_init__``, as ``ValueError`` with one line. `overrides` are words
    ``key=value``; the key of a nested field is dotted (``training.epochs=3``), the value is YAML.
    """
    path = Path(path)
    return _decode(config_class, read_settings(config_class, path), overrides, path)


def read_words(config_class: type, words: Iterable[str], *, like: dict) -> Any:
    """The configuration that is as the dict `like` but for what the words ``key=value`` say."""
    return _decode(config_class, copy.deepcopy(like), words, None)


def _decode(config_class: type, values: dict, words: Iterable[str], path: Path | None) -> Any:
    try:
        import draccus
        import yaml
        from draccus.utils import DecodingError
    except ImportError as error:
        raise RunError(
            f"the apps need draccus: pip install 'keras-freq[apps]'. Received: {one_line(error)}"
        ) from error

    words = list(words)
    source = "the command line" if path else ", ".join(words)
    for word in words:
        key, equals, text = word.partition("=")
        key = key.removeprefix("--")
        if not equals or not key:
            raise RunError(f"settings are written key=value. Received: {word!r}")
        field_type = _field_type(config_class, key, word)
        try:
            value = yaml.safe_load(text)
        except Exception as error:
            raise RunError(f"`{key}` must be YAML ({one_line(error)}). Received: {word!r}") from error
        if value is not None and _kinds(field_type) == {str}:  # a name such as 2026_12_01 is no number
            value = value if isinstance(value, str) else text
        _check_value(field_type, value, tuple(key.split(".")), source)
        _put(values, key.split("."), value)
    try:
        return draccus.decode(config_class, _merge(_default_groups(config_class), values))
    except DecodingError as error:
        raise RunError(_describe(config_class, values, tuple(error.key_path), path or source)) from error
    except Exception as error:
        # draccus hides the error of __post_init__ behind one of its own.
        reason = error.__cause__ if isinstance(error.__cause__, (ValueError, TypeError)) else error
        raise RunError(f"{path or source}: {one_line(reason)}") from error


def read_settings(config_class: type, path: Path) -> dict:
    """What a file states with all its bases: mappings are merged, everything else is replaced."""
    values: dict = {}
    for file, own in reversed(read_chain(path)):
        own = {key: _read_group(key, value, file) for key, value in own.items()}
        _check_group(config_class, own, (), str(file))
        values = _merge(values, own)
    return values


class _Whole(dict):
    """A group of settings that replaces what stands below it."""


def _read_group(key: str, value: Any, file: Path, above: tuple[Path, ...] = ()) -> Any:
    """A group with that of its own base below it, if it has one."""
    if not isinstance(value, dict) or "base" not in value:
        return value
    above, path = (*above, file.resolve()), _base_path(value["base"], file)
    group: dict = {}
    for other, own in reversed(read_chain(path)):
        if other.resolve() in above:
            raise RunError(f"`{key}.base` must not lead back to the file itself. Received: {file}: {path}")
        group = _merge(group, _read_group(key, own.get(key, {}), other, above))
    if not group:
        raise RunError(f"`{key}.base` must be a file with `{key}`. Received: {key}.base={value['base']}")
    return _Whole(_merge(group, {name: own for name, own in value.items() if name != "base"}))


def _base_path(base: Any, file: Path) -> Path:
    if not isinstance(base, str):
        raise RunError(f"`base` must be the path of a configuration. Received: base={base!r} (from {file})")
    return file.parent / base


def read_chain(path: Path) -> list[tuple[Path, dict]]:
    """A file and its bases, each with what it states itself."""
    chain: list[tuple[Path, dict]] = []
    seen: list[Path] = []
    while True:
        if path.resolve() in seen:
            raise RunError(f"`base` must not lead back to the file itself. Received: {chain[-1][0]}: {path}")
        seen.append(path.resolve())
        values = _read(path)
        base = values.pop("base", None)
        chain.append((path, values))
        if base is None:
            return chain
        path = _base_path(base, path)


def _default_groups(config_class: type) -> dict:
    """The groups of settings as the class has them where nothing is stated.

    A group that is stated in part keeps the rest of its own default, which may be another than that of its
    class.
    """
    return {
        field.name: as_dict(field.default_factory())
        for field in dataclasses.fields(config_class)
        if field.default_factory is not dataclasses.MISSING
        and dataclasses.is_dataclass(field.default_factory())
    }


def _merge(below: dict, above: dict) -> dict:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both and not isinstance(value, _Whole) else value
    return merged


def as_dict(config: Any) -> dict:
    """A configuration as plain dicts, lists, numbers and text."""
    import draccus

    return draccus.encode(config)


def as_yaml(config: Any) -> str:
    """A configuration as YAML that `load_config` reads back to an equal one."""
    import yaml

    return yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True)


def field_types(config_class: type, prefix: str = "") -> dict[str, Any]:
    """Dotted names of all settings with their types, those of nested dataclasses included."""
    hints = typing.get_type_hints(config_class)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):
        name, field_type = prefix + field.name, hints[field.name]
        found |= field_types(field_type, name + ".") if _is_group(field_type) else {name: field_type}
    return found


def differences(old: dict, new: dict, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted names of the settings in which two configurations (as dicts) differ, with both values."""
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append((prefix + key, before, after))
    return found


def _read(path: Path) -> dict:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            values = yaml.safe_load(file)  # no tag makes objects or reads other files
    except OSError as error:
        raise RunError(
            f"the configuration must be a file that can be read. Received: {path} ({error.strerror})"
        ) from error
    except Exception as error:
        reason = one_line(error.__cause__ or error)
        raise RunError(f"{path} must be YAML. Received: {reason}") from error
    if not isinstance(values, dict):
        received = "an empty file" if values is None else f"a {type(values).__name__}"
        raise RunError(f"{path} must hold settings, `key: value`. Received: {received}")
    return values


def _check_group(config_class: type, values: dict, path: tuple[str, ...], source: str) -> None:
    """Finds what draccus lets through or names poorly: unknown keys, null, text where a list is meant."""
    hints = typing.get_type_hints(config_class)
    allowed = [field.name for field in dataclasses.fields(config_class)]
    for key, value in values.items():
        if key not in allowed:
            raise RunError(
                _unknown(".".join((*path, str(key))), [".".join((*path, name)) for name in allowed], source)
            )
        _check_value(hints[key], value, (*path, key), source)


def _is_group(field_type: Any) -> TypeGuard[type]:
    return isinstance(field_type, type) and dataclasses.is_dataclass(field_type)


def _check_value(field_type: Any, value: Any, path: tuple[str, ...], source: str) -> None:
    if _is_group(field_type) and isinstance(value, dict):
        _check_group(field_type, value, path, source)
        return
    options, kinds = _options(field_type), _kinds(field_type)
    wrong = (
        (value is None and type(None) not in options)
        or (isinstance(value, bool) and bool not in options and str not in options)
        or (value is not None and kinds <= {tuple, list} and not isinstance(value, list))
        or (value is not None and kinds == {str} and not isinstance(value, str))
        or any(dataclasses.is_dataclass(option) for option in options)
    )
    if wrong:
        raise RunError(_must_be(path, field_type, value, source))
    for option in options:
        if typing.get_origin(option) in (tuple, list) and isinstance(value, list):
            item_type = typing.get_args(option)[0]
            for i, item in enumerate(value):
                # Classes may be named by numbers.
                text = item_type is str and isinstance(item, (int, float))
                _check_value(item_type, str(item) if text else item, (*path, str(i)), source)


def _field_type(config_class: type, key: str, word: str) -> Any:
    allowed = field_types(config_class)
    if key not in allowed:
        raise RunError(_unknown(key, list(allowed), f"{word!r}"))
    return allowed[key]


def _describe(config_class: type, values: dict, path: tuple[str, ...], source: Path | str) -> str:
    """The message for a value that draccus could not decode, from where it stood."""
    value: Any = values
    for step in path:
        value = value[int(step)] if isinstance(value, (list, tuple)) else value[step]
    field_type: Any = config_class
    for step in path:
        if dataclasses.is_dataclass(field_type):
            field_type = typing.get_type_hints(field_type)[step]
        else:
            field_type = typing.get_args(next(o for o in _options(field_type) if typing.get_args(o)))[0]
    if dataclasses.is_dataclass(field_type) and isinstance(value, dict):
        missing = [
            field.name
            for field in dataclasses.fields(field_type)
            if field.name not in value
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        return f"{source} must set {', '.join(f'`{name}`' for name in missing)}. Received: {', '.join(value)}"
    return _must_be(path, field_type, value, str(source))


def _must_be(path: tuple[str, ...], field_type: Any, value: Any, source: str) -> str:
    shown = "null" if value is None else repr(value)
    name = ".".join(path)
    return f"`{name}` must be {describe_type(field_type)}. Received: {name}={shown} (from {source})"


def _unknown(key: str, allowed: list[str], source: str) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return (
        f"there is no setting `{key}`.{hint} Allowed: {', '.join(allowed)}. Received: {key} (from {source})"
    )


def describe_type(field_type: Any) -> str:
    """A type in words, as it is written in YAML."""
    origin, arguments = typing.get_origin(field_type), typing.get_args(field_type)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(option) for option in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (tuple, list):
        return f"a list, each {describe_type(arguments[0])}"
    if dataclasses.is_dataclass(field_type):
        return "a group of " + ", ".join(field.name for field in dataclasses.fields(field_type))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    return names.get(field_type, str(field_type))


def _options(field_type: Any) -> tuple[Any, ...]:
    if typing.get_origin(field_type) in (typing.Union, types.UnionType):
        return typing.get_args(field_type)
    return (field_type,)


def _kinds(field_type: Any) -> set[Any]:
    """The types of a field but for null, lists without what they hold."""
    return {typing.get_origin(one) or one for one in _options(field_type)} - {type(None)}


def _put(values: dict, keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value
