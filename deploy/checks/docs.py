"""Links and headings."""

import re

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def check(deploy, options, report):
    root = deploy.parent
    pages = [root / "docs" / "operations.md", root / "README.md", *deploy.rglob("*.md")]
    problems, count = [], 0
    for page in pages:
        if not page.is_file():
            problems.append(f"{page.relative_to(root)} is not there")
            continue
        for link in LINK.findall(FENCE.sub("", page.read_text())):
            if link.startswith(("http://", "https://")):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                problems.append(f"{page.relative_to(root)}: {link} leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                problems.append(f"{page.relative_to(root)}: {target.name} has no heading #{anchor}")
    report.all(f"{count} links lead somewhere", problems)


def anchors(page):
    """The headings of a page, as they are linked to."""
    if not page.is_file():
        return set()
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
