"""The doctor's findings as a table on the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from or_spatial import __version__
from or_spatial.commands.doctor import Finding, Status

_STYLE = {Status.OK: "green", Status.OLD: "yellow", Status.MISSING: "bold red", Status.ABSENT: "dim"}


def show(findings: list[Finding], console: Console) -> None:
    """Print one line per finding, and under what is not in order its cost and remedy."""
    table = Table(title=f"or_spatial {__version__}", title_justify="left", box=None, pad_edge=False)
    for heading in ("part", "status", "found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(finding.name, Text(finding.status.value, _STYLE[finding.status]), _details(finding))
    console.print(table)
    missing = [f.name for f in findings if f.status is Status.MISSING]
    console.print(f"[bold red]missing:[/] {', '.join(missing)}" if missing else "[green]everything needed is there[/]")


def _details(finding: Finding) -> Text:
    text = Text(finding.found)
    if finding.status is not Status.OK:
        for label, words in (("costs", finding.cost), ("cure", finding.remedy)):
            if words:
                text.append(f"\n{label}: ", "dim").append(words, "" if finding.status is not Status.ABSENT else "dim")
    return text
