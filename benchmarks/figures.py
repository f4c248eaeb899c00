"""One measured figure, and how it is shown."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, beside the yardstick of the same run; `value` None: it could not be."""

    name: str
    value: float | None
    unit: str
    yardstick: float | None = None
    yardstick_is: str = ""
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value over its yardstick."""
        if self.value is None or not self.yardstick:
            return None
        return self.value / self.yardstick


def show(figures: list[Figure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table("figure", "value", "yardstick", "ratio", "target", "")
    for figure in figures:
        met = {None: "", True: "[green]met", False: "[red]not met"}[figure.met]
        table.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            f"{_number(figure.yardstick)} ({figure.yardstick_is})" if figure.yardstick else "",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.target,
            " ".join(filter(None, (met, figure.note))),
        )
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
