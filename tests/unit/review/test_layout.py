"""Where figures stand on the pages: every one once, in rows and columns where there are two axes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebatch.model.address import render_address
from imagebatch.model.money import Money
from imagebatch.model.picks import Picks
from imagebatch.plan.states import State
from imagebatch.review.contact import sheets
from imagebatch.review.figures import figure
from imagebatch.review.layout import asset_cards, asset_pages, sum_of, waiting
from imagebatch.review.model import Figure
from tests.unit.review.entries import entry_of


def shown(asset: str, key: str | None = None, *states: State, **axes: str) -> Figure:
    return figure(
        render_address(asset, key, axes),
        entry=entry_of(candidates=2),
        variant=None,
        change=None,
        states=states,
        picks=Picks(),
    )


figures = st.lists(
    st.builds(
        lambda asset, key, axes: shown(asset, key, **axes),
        st.sampled_from(["hero", "Hero.2", "ÄÖ", "x"]),
        st.none() | st.sampled_from(["A 1", "B,2", "10", "9"]),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2", "10", "x=y"]), max_size=3),
    ),
    max_size=25,
    unique_by=lambda one: one.address,
)


@given(figures, st.integers(2, 12))
@settings(max_examples=150, deadline=None)
def test_every_figure_stands_on_one_page_and_no_page_has_too_many_pictures(given: list[Figure], most: int) -> None:
    pages = asset_pages(given, most=most)
    assert sorted(one.address for page in pages for one in page.figures) == sorted(one.address for one in given)
    files = [page.file.casefold() for page in pages]
    assert len(set(files)) == len(files)
    for page in pages:
        assert {one.asset for one in page.figures} == {page.asset}
        lines = [[one] for section in page.sections for one in section.flow]
        lines += [list(row.figures) for section in page.sections for row in section.rows]
        pictures = sum(one.pictures for one in page.figures)
        assert pictures <= most or len(lines) == 1
        for section in page.sections:
            for row in section.rows:
                assert len(row.cells) == len(section.columns)
                for column, one in zip(section.columns, row.cells, strict=True):
                    if one is not None:
                        at = dict([*([("row", one.key)] if one.key else []), *one.axes])
                        assert (at[section.row_axis], at[section.column_axis]) == (row.heading, column)
    assert sum(card.figures for card in asset_cards(pages)) == len(given)
    assert sum(sheet.figures for sheet in sheets(pages, most=most)) == sum(len(one.shots) for one in given)


def test_numbers_stand_by_their_size_and_the_axis_with_fewer_values_makes_the_columns() -> None:
    (page,) = asset_pages([shown("a", None, s=size, v=view) for size in ("10", "9", "2") for view in ("x", "y")])
    (section,) = page.sections
    assert (section.row_axis, [row.heading for row in section.rows], section.columns) == (
        "s",
        ["2", "9", "10"],
        ("x", "y"),
    )
    (page,) = asset_pages([shown("a", None, s=view, v=size) for size in ("10", "9", "2") for view in ("x", "y")])
    assert page.sections[0].columns == ("x", "y")


def test_an_axis_with_too_many_values_flows() -> None:
    (page,) = asset_pages([shown("a", None, x=str(one), y=str(two)) for one in range(13) for two in range(13)])
    assert len(page.sections) == 13
    assert all(section.flow and not section.rows for section in page.sections)


def test_a_key_makes_the_rows() -> None:
    (page,) = asset_pages([shown("a", key, view=view) for key in ("L-2", "L-10") for view in ("back", "front")])
    assert [row.heading for row in page.sections[0].rows] == ["L-2", "L-10"]


def test_what_needs_a_person_comes_by_urgency_with_the_way_there() -> None:
    given = [shown("a", "1", "unpicked"), shown("a", "2", "in-doubt", "changed"), shown("b", None, "new")]
    found = waiting(asset_pages(given))
    assert [(one.address, one.states) for one in found] == [("a[2]", ("in-doubt",)), ("a[1]", ("unpicked",))]
    assert found[0].href == f"asset-a.html#{given[1].anchor}"


def test_a_draw_that_addresses_share_is_paid_once() -> None:
    costs = sum_of([shown("a", "1"), shown("a", "2")])
    assert [str(one) for one in costs] == ["0.35 EUR"]
    assert all(isinstance(one, Money) for one in costs)
