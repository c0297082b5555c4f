"""What a file says of its origin, as an XMP packet: the same bytes for the same mark. Pure.

Names are those of the IPTC Photo Metadata Standard 2025.1, Dublin Core and XMP. No version of ours, no clock: a
release must not change files.
"""

import re
from html import escape
from typing import Final

from imagebatch.model.mark import Mark

ORIGINS: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MAX_PACKET: Final = 65_000
"""Bytes of a packet; a JPEG's segment has room for 65,502."""

_CUT: Final = " […]"
_ROOM: Final = {"title": 2_000, "alt": 10_000, "system": 1_000}
_MADE_BY_MACHINE: Final = frozenset(
    {"trainedAlgorithmicMedia", "algorithmicMedia", "compositeWithTrainedAlgorithmicMedia"}
)
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ORIGIN = re.compile(rb"DigitalSourceType[^<]{0,80}?http://cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]+)")
_HEAD = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
"""
_TAIL = """\
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def packet(mark: Mark) -> bytes:
    """The packet of a mark, at most `MAX_PACKET` bytes: texts that are too long for it end in ` […]`."""
    lines = [_simple("xmp:CreatorTool", "imagebatch")]
    if mark.source:
        lines.append(_simple("Iptc4xmpExt:DigitalSourceType", ORIGINS + mark.source))
    if mark.title is not None:
        lines.append(_in_a_language("dc:title", _fitting(mark.title, _ROOM["title"])))
    if mark.alt is not None:
        alt = _fitting(mark.alt, _ROOM["alt"])
        lines += [_in_a_language("dc:description", alt), _in_a_language("Iptc4xmpCore:AltTextAccessibility", alt)]
    if mark.system is not None:
        lines.append(_simple("Iptc4xmpExt:AISystemUsed", _fitting(mark.system, _ROOM["system"])))
    if mark.prompt is not None:
        empty = _simple("Iptc4xmpExt:AIPromptInformation", "")
        left = MAX_PACKET - len("".join([_HEAD, *lines, empty, _TAIL]).encode())
        lines.append(_simple("Iptc4xmpExt:AIPromptInformation", _fitting(mark.prompt, left)))
    return "".join([_HEAD, *lines, _TAIL]).encode()


def origin_in(xmp: bytes) -> str:
    """The kind of origin that a packet, whoever wrote it, names first; empty where it names none."""
    found = _ORIGIN.search(xmp)
    return found[1].decode() if found is not None else ""


def says_machine_made(xmp: bytes) -> bool:
    """Whether a packet, whoever wrote it, says that a machine made the picture or a part of it."""
    return any(origin.decode() in _MADE_BY_MACHINE for origin in _ORIGIN.findall(xmp))


def _simple(name: str, escaped: str) -> str:
    return f"   <{name}>{escaped}</{name}>\n"


def _in_a_language(name: str, escaped: str) -> str:
    return f'   <{name}><rdf:Alt><rdf:li xml:lang="x-default">{escaped}</rdf:li></rdf:Alt></{name}>\n'


def _fitting(text: str, room: int) -> str:
    """A text, escaped for XML and cut where it takes more than `room` bytes."""
    text = _NO_XML.sub("", text)
    whole = escape(text, quote=False)
    if len(whole.encode()) <= room:
        return whole
    left, kept = room - len(_CUT.encode()), []
    for character in text:
        piece = escape(character, quote=False)
        left -= len(piece.encode())
        if left < 0:
            break
        kept.append(piece)
    return "".join(kept) + _CUT
