"""`or_spatial hazards check`: a rules file read as the hazard node reads it."""

from pathlib import Path

from rich.console import Console
from rich.table import Table


def check_rules(file: Path | None, console: Console) -> None:
    """Print the rules of a file.

    Raises:
        ConfigError: what the hazard node would refuse; all faults of the file, one per line.
    """
    from or_spatial.hazards.rule_file import load_rules

    rules = load_rules(file)
    table = Table(box=None, pad_edge=False)
    for heading in ("rule", "kind", "severity"):
        table.add_column(heading)
    for name, rule in rules.items():
        table.add_row(name, rule.condition.kind, rule.severity.lower())
    console.print(table)
    console.print(f"{file or 'config/hazards.yaml'}: {len(rules)} rules, no mistake", markup=False)
