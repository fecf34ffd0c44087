"""A page read back by an HTML parser."""

from html.parser import HTMLParser


class ParsedPage(HTMLParser):
    """The tags of a page, the rows of its ranked table, and its words without script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.ranked: list[str] = []
        """The words of each row of the ranked table."""
        self._open: list[str] = []
        self._in_ranked_row = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self._in_ranked_row = "data-rank" in dict(attrs)
            if self._in_ranked_row:
                self.ranked.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
        self._in_ranked_row = self._in_ranked_row and tag != "tr"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open[-1:]):
            self.words += data
            if self._in_ranked_row:
                self.ranked[-1] += data

    def with_tag(self, *names: str) -> list[dict[str, str | None]]:
        """The attributes of each such tag."""
        return [attributes for tag, attributes in self.tags if tag in names]
