"""Walk-forward folds: fitted on what was over, tested on what came next.

The training span expands; the first third of the columns is trained on only. A training outcome lasts
for `horizon` columns after its decision, so the last `horizon` decisions before a test span are left
out (purged): every outcome that a model was fitted on was over before the first test day began. What
is tested never trains an earlier model, so nothing needs an embargo on the other side.

Source: Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 7.
"""

from dataclasses import dataclass

REFIT_DAYS = 30
HELD_BACK_DAYS = 180


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold over columns (days); all bounds half open.

    Attributes:
        number: from 1.
        train_end: columns `[0, train_end)` train.
        test_start, test_end: columns `[test_start, test_end)` are tested.
        held_back: whether its days are kept from every choice and looked at once.
    """

    number: int
    train_end: int
    test_start: int
    test_end: int
    held_back: bool


def walk_forward(
    columns: int,
    *,
    horizon: int,
    refit: int = REFIT_DAYS,
    initial: int | None = None,
    held_back: int = HELD_BACK_DAYS,
) -> tuple[Fold, ...]:
    """The folds over `columns` days, in time; none where too few days are left to train or to test.

    Args:
        columns: number of days.
        horizon: longest outcome that a model is fitted on, in columns.
        refit: days between two fits.
        initial: days before the first test day (None: a third).
        held_back: days at the end that are kept from every choice, rounded up to whole folds; at most
            a third of the tested days, so that something is left to choose by.
    """
    first = columns // 3 if initial is None else initial
    if first - horizon < 1:
        return ()
    starts = list(range(first, columns, refit))
    kept = min(-(-held_back // refit), len(starts) // 3)
    return tuple(
        Fold(
            number=number,
            train_end=start - horizon,
            test_start=start,
            test_end=min(start + refit, columns),
            held_back=number > len(starts) - kept,
        )
        for number, start in enumerate(starts, start=1)
    )
