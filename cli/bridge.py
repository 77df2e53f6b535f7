"""Options of a command, made from its kinds of settings when it is called or asked for its help.

pydantic-settings reads a command line of its own, not one command of many in typer's help and with our
errors: so settings become typer's options here, and pydantic checks what these are given.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand

from .spelling import spelled_by

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

RUN = "cryopick_ray.settings.run_settings:RunSettings"
ENGINE = "cryopick_ray.settings.engine_settings:EngineSettings"
UNITS = {"_e_A2": "e/A2", "_A": "A", "_MB_s": "MB/s", "_kV": "kV", "_mm": "mm", "_GB": "GB"}
Given = dict[str, Any]
"""Plain settings, nested, as far as a person gave them."""


@dataclass(frozen=True)
class Offer:
    """A kind of settings that a command takes.

    Attributes
    ----------
    kind
        ``module:Class``, imported when the command is called for.
    only, but
        Settings, or groups of them, that the command takes, empty for all, and does not take.
    assign
        Whether all others are reached by ``--set NAME=VALUE``.
    calls
        What some are called that options of the command's own make.
    """

    kind: str
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    assign: bool = False
    calls: Mapping[str, str] = field_of(default_factory=dict)

    def load(self) -> Any:
        """Return the class."""
        module, _, name = self.kind.partition(":")
        return getattr(import_module(module), name)


def takes(**offers: Offer) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command's parameter of that name have the plain settings that a person gave."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.name not in offers
        ]
        vars(function).update(__signature__=inspect.Signature(own), offers=offers)
        return function

    return decorate


class SettingsCommand(TyperCommand):
    """A command with options for the settings that it takes; they are made when it is first called for."""

    names: Mapping[str, str] | None = None
    """What this command calls settings, given their dotted names."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Make the options, then read the arguments."""
        if self.names is None:
            self._make_options(inspect.unwrap(self.callback))  # type: ignore[arg-type]
        return super().make_context(info_name, self._with_values(_as_today(args)), parent, **extra)

    def _with_values(self, args: list[str]) -> list[str]:
        """Return the arguments, with its value beside each option that is given without it."""
        from cryopick_ray.settings.leaf_settings import option_hint

        fields = {option.called: option.field for option in self._options if option.field is not None}
        last = args.index("--") if "--" in args else len(args)
        given: list[str] = []
        for name, value in pairwise([*args[:last], ""]):
            field = fields.get(name)
            alone = field is not None and value not in get_args(field.annotation) and option_hint(field).alone
            given.append(f"{name}={alone}" if alone else name)
        return given + args[last:]

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the command's function is called with, given the values of all options."""
        given: dict[str, Given] = {role: {} for role in self._roles}
        for option in self._options:
            given[option.role] = option.put(values[option.key], given[option.role])
        made = {option.key for option in self._options}
        return {name: value for name, value in values.items() if name not in made} | given

    def _make_options(self, function: Any) -> None:
        self._roles: dict[str, Offer] = function.offers
        self._options = [option for role, offer in self._roles.items() for option in _options(role, offer)]
        self.names = {option.name: option.called for option in self._options if option.field is not None}
        self.names |= {name: called for role in self._roles.values() for name, called in role.calls.items()}
        own = list(inspect.signature(function).parameters.values())
        first = [parameter for parameter in own if parameter.default is parameter.empty]
        made = [option.parameter(self.names) for option in self._options]

        def call(**values: Any) -> None:
            function(**self.arguments(values))

        ordered = [*first, *made, *own[len(first) :]]
        parameters = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in ordered]
        vars(call).update(__signature__=inspect.Signature(parameters))
        app = typer.Typer(add_completion=False)
        app.command()(call)
        whole = typer.main.get_command(app)
        self.params, self.callback = whole.params, whole.callback


def _as_today(args: list[str]) -> list[str]:
    """Return the arguments as they are spelt today: ``--movie-set align=false`` of earlier scripts."""
    words = iter(args)
    today: list[str] = []
    for word in words:
        if word == "--movie-set" and (value := next(words, None)) is not None:
            today += ["--set", f"movies.{value}"]
        else:
            today.append(word)
    return today


@dataclass(frozen=True)
class _Option:
    """The option of one setting, or ``--set``."""

    role: str
    kind: Any
    name: str
    called: str
    field: "FieldInfo | None" = None
    panel: str = ""

    @property
    def key(self) -> str:
        return f"{self.role}__{self.name.replace('.', '__')}"

    def parameter(self, names: Mapping[str, str]) -> inspect.Parameter:
        """Return the parameter that typer makes an option of."""
        if self.field is None:
            text = f"Any setting by its full name, such as {_example(self.kind, names)}; may be repeated."
            kind: Any = list[str]
            shown = typer.Option("--set", metavar="NAME=VALUE", help=text)
        else:
            kind = list[str] if _repeats(self.field) else bool if self.field.annotation is bool else str
            shown = self._shown(self.field, names)
        annotation = Annotated[kind | None, shown]
        return inspect.Parameter(
            self.key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
        )

    def _shown(self, field: "FieldInfo", names: Mapping[str, str]) -> Any:
        from cryopick_ray.settings.leaf_settings import option_hint

        text = spelled_by(names, field.description or "")
        if not field.is_required() and field.default not in (None, (), False) and "default" not in text:
            text = f"{text.removesuffix('.')}; default: {_text(field.default)}."
        if alone := option_hint(field).alone:
            text = f"{text.removesuffix('.')}; alone: {alone}."
        if not self.called.startswith("--"):
            return typer.Argument(metavar=self.called, help=text, show_default=False)
        flag = self.called + self.called.replace("--", "/--no-", 1) * (field.annotation is bool)
        prefix = self.kind.environment
        return typer.Option(
            flag,
            metavar=None if field.annotation is bool else _metavar(self.name, field),
            help=text,
            rich_help_panel=self.panel or None,
            show_default=False,
            envvar=(prefix and f"{prefix}{self.name.upper()}") or None,
        )

    def put(self, value: Any, given: Given) -> Given:
        """Return the settings with what a person gave for this one."""
        from cryopick_ray.settings.config import assigned, merged
        from cryopick_ray.settings.leaf_settings import parse_setting

        if value is None or value in ((), []):
            return given
        if self.field is None:
            return assigned(given, value, kind=self.kind)
        plain: Any = parse_setting(self.field, value) if isinstance(value, str) else value
        for part in reversed(self.name.split(".")):
            plain = {part: plain}
        return merged(given, plain)


def _options(role: str, offer: Offer) -> Iterator[_Option]:
    from cryopick_ray.settings.leaf_settings import leaf_settings, option_name

    kind = offer.load()
    for name, field, panel in leaf_settings(kind):
        own = {name, name.partition(".")[0]}
        is_wanted = (not offer.only or own & {*offer.only}) and not own & {*offer.but}
        if is_wanted and (text := option_name(name, field)):
            yield _Option(role, kind, name, text, field, panel)
    if offer.assign:
        yield _Option(role, kind, "set", "--set")


def _example(kind: Any, names: Mapping[str, str]) -> str:
    """Return a setting without an option of its own, as ``--set`` takes it."""
    from cryopick_ray.settings.leaf_settings import leaf_settings

    defaults = ((name, field.default) for name, field, _ in leaf_settings(kind) if name not in names)
    return next(f"{name}={_text(value)}" for name, value in defaults if isinstance(value, int | float))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _repeats(field: "FieldInfo") -> bool:
    return field.annotation in (tuple[str, ...], tuple[int, ...], tuple[Path, ...])


def _metavar(name: str, field: "FieldInfo") -> str:
    from cryopick_ray.settings.leaf_settings import option_hint

    if own := option_hint(field).metavar:
        return own
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return unit
    if get_origin(field.annotation) is Literal:
        return "|".join(map(str, get_args(field.annotation)))
    kinds = {_plain(kind) for kind in get_args(field.annotation)} or {field.annotation}
    if bool in kinds:
        return "true|false"
    return "N" if int in kinds - {NoneType} else "X" if float in kinds else "TEXT"


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
