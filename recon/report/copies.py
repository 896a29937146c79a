"""Tables as Markdown and LaTeX, for papers and issues."""

from recon.report.contents import Table

SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def markdown(table: Table) -> str:
    """Write a table in Markdown, numbers to the right."""
    head = "| " + " | ".join(map(_cell, table.columns)) + " |"
    rule = "|---|" + "---:|" * (len(table.columns) - 1)
    rows = ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join([head, rule, *rows]) + "\n"


def latex(table: Table) -> str:
    """Write a table in LaTeX, for the package booktabs."""
    lines = [" & ".join(map(_tex, row)) + r" \\" for row in (table.columns, *table.rows)]
    head, *rows = lines
    begin = r"\begin{tabular}{l" + "r" * (len(table.columns) - 1) + "}"
    return (
        "\n".join([begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"])
        + "\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _tex(text: str) -> str:
    written = text.replace("\\", r"\textbackslash ")
    return "".join(SPECIAL.get(c, c) for c in written)
