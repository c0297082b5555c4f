"""What came of an address's checks <-> the field `checked` of its lock block."""

from imagebatch.model.canonical import Json
from imagebatch.model.checks import CHECKS, LEVELS, PLUGIN_NAME, Checked, Unmet
from imagebatch.state.strict import Fields


def checked_json(checked: Checked) -> dict[str, Json]:
    """The fingerprint of the checks, and what did not hold; a picture that holds has the fingerprint alone."""
    value: dict[str, Json] = {"checks": checked.checks}
    if checked.unmet:
        value["unmet"] = [_unmet_json(one) for one in checked.unmet]
    if checked.looks:
        value["looks"] = list(checked.looks)
    return value


def decode_checked(value: Json) -> Checked:
    """What came of the checks. Raises ValueError with a sentence."""
    fields = Fields(value, "checked")
    looks = fields.texts("looks")
    if any(len(look) != 16 or not set(look) <= set("0123456789abcdef") for look in looks):
        raise ValueError("checked.looks has to be a list of 16 hex digits each")
    return Checked(
        checks=fields.text("checks"),
        unmet=tuple(_unmet(item) for item in fields.items("unmet")),
        looks=looks,
    )


def _unmet_json(unmet: Unmet) -> dict[str, Json]:
    value: dict[str, Json] = {"check": unmet.name, "level": unmet.level, "wanted": unmet.wanted, "found": unmet.found}
    return value if unmet.of is None else value | {"of": unmet.of}


def _name(fields: Fields) -> str:
    name = fields.text("check")
    if name not in CHECKS and PLUGIN_NAME.fullmatch(name) is None:
        raise ValueError(f"checked.unmet.check is {name!r}; known are {', '.join(sorted(CHECKS))} and plugin:NAME")
    return name


def _unmet(value: Json) -> Unmet:
    fields = Fields(value, "checked.unmet")
    return Unmet(
        name=_name(fields),
        level=fields.choice("level", LEVELS),
        wanted=fields.text("wanted"),
        found=fields.text("found"),
        of=fields.optional_text("of"),
    )
