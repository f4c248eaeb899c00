"""No training outcome overlaps a test day, every later day is tested once, and the end is held back."""

from hypothesis import given
from hypothesis import strategies as st

from dantaro.research.folds import walk_forward

_SIZES = st.integers(0, 1200)
_HORIZONS = st.integers(1, 30)
_REFITS = st.integers(1, 90)
_KEPT = st.integers(0, 400)


def test_ten_months_by_hand() -> None:
    folds = walk_forward(300, horizon=7, refit=30, held_back=60)
    # a third of 300 is 100; tests begin at 100, 130, .., 280; training ends 7 days before each
    assert [fold.test_start for fold in folds] == [100, 130, 160, 190, 220, 250, 280]
    assert [fold.train_end for fold in folds] == [93, 123, 153, 183, 213, 243, 273]
    assert folds[-1].test_end == 300
    assert [fold.held_back for fold in folds] == [False] * 5 + [True] * 2  # 60 days: two of 30
    assert [fold.number for fold in folds] == [1, 2, 3, 4, 5, 6, 7]


@given(columns=_SIZES, horizon=_HORIZONS, refit=_REFITS, held_back=_KEPT)
def test_no_training_outcome_overlaps_a_test_day(
    columns: int, horizon: int, refit: int, held_back: int
) -> None:
    for fold in walk_forward(columns, horizon=horizon, refit=refit, held_back=held_back):
        last_decision = fold.train_end - 1
        outcome_ends = last_decision + horizon  # the column at whose close it is over
        assert outcome_ends < fold.test_start
        assert last_decision >= 0


@given(columns=_SIZES, horizon=_HORIZONS, refit=_REFITS, held_back=_KEPT)
def test_every_day_after_the_first_third_is_tested_once(
    columns: int, horizon: int, refit: int, held_back: int
) -> None:
    folds = walk_forward(columns, horizon=horizon, refit=refit, held_back=held_back)
    tested = [day for fold in folds for day in range(fold.test_start, fold.test_end)]
    assert tested == (list(range(columns // 3, columns)) if folds else [])


@given(columns=_SIZES, horizon=_HORIZONS, refit=_REFITS, held_back=_KEPT)
def test_what_is_held_back_is_the_end_and_at_most_a_third(
    columns: int, horizon: int, refit: int, held_back: int
) -> None:
    kept = [
        f.held_back
        for f in walk_forward(columns, horizon=horizon, refit=refit, held_back=held_back)
    ]
    assert kept == sorted(kept)
    assert sum(kept) <= len(kept) / 3
    if held_back and len(kept) >= 3:
        assert kept[-1]


def test_too_few_days_give_no_fold() -> None:
    assert walk_forward(20, horizon=7) == ()
    assert walk_forward(0, horizon=1) == ()
