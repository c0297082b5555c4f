"""Outputs that change places and take over from others, ended at every effect: each file finds its own, nothing is paid
twice. (Two runs of one checkout that both move files, because somebody broke a living lease, are no promise.)
"""

import pytest

from tests.simulation.disturbing import WAYS_ON, all_disturbed, disturbance, reference
from tests.simulation.scenarios import Scenario

EXCHANGED = Scenario(
    name="places exchanged",
    kind="listable",
    before="""\
assets:
  fox: {prompt: a fox, provider: studio, params: {format: 1:1}, output: outputs/x.jpg}
  pen:
    prompt: a pen
    provider: plain
    params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}
    output: outputs/y.jpg
  jar: {prompt: a jar, provider: studio, params: {format: 1:1}, output: outputs/z.jpg}
""",
    now="""\
assets:
  fox: {prompt: a fox, provider: studio, params: {format: 1:1}, output: outputs/y.jpg}
  pen:
    prompt: a pen
    provider: plain
    params: {model: gpt-image-2, size: 1024x1024, output_format: jpeg}
    output: outputs/x.jpg
  kite: {prompt: a kite, provider: studio, params: {format: 1:1}, output: outputs/z.jpg}
""",
)


@pytest.mark.slow
def test_wherever_a_run_dies_that_exchanges_places_each_file_finds_its_own() -> None:
    places = reference(EXCHANGED).effects
    every = [disturbance(number, (EXCHANGED,)) for number in range(4 * places * WAYS_ON)]
    assert {(one.crash_at, one.policy) for one in every} >= {(at + 1, every[0].policy) for at in range(places)}
    verdicts = list(all_disturbed([one for one in every if not one.robbed]))
    assert len(verdicts) > 3 * places * WAYS_ON
    bad = [str(one) for one in verdicts if one.wrong or one.double_pays]
    assert not bad, "\n\n".join(bad[:5])
