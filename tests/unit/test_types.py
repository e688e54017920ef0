from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.types import Box, Word, boxes_of
from tests.conftest import passage


def test_a_range_over_two_lines_has_a_box_a_line() -> None:
    words = (
        Word(0, 3, Box(1, 50, 100, 70, 110)),
        Word(4, 7, Box(1, 75, 100, 95, 110)),
        Word(8, 11, Box(1, 50, 112, 70, 122)),
    )
    assert boxes_of(words, 0, 11) == (Box(1, 50, 100, 95, 110), Box(1, 50, 112, 70, 122))
    assert boxes_of(words, 4, 5) == (Box(1, 75, 100, 95, 110),)
    assert boxes_of(words, 3, 4) == ()


def test_a_word_at_the_top_of_the_next_column_is_another_line() -> None:
    words = (Word(0, 3, Box(1, 50, 700, 70, 710)), Word(4, 7, Box(1, 300, 100, 320, 110)))
    assert len(boxes_of(words, 0, 7)) == 2


@given(st.text("ab c", min_size=1), st.data())
def test_boxes_cover_the_words_of_the_range_and_no_others(text: str, data: st.DataObject) -> None:
    item = passage(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    inside = [word.box for word in item.words if word.end > start and word.start < end]
    boxes = item.boxes(start, end)
    assert bool(boxes) == bool(inside)
    if inside:
        assert (boxes[0].x0, boxes[-1].x1) == (inside[0].x0, inside[-1].x1)
