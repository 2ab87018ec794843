"""Lines of text in UTF-8, or else in Windows-1252, as spreadsheets on Windows write them."""

from __future__ import annotations

from typing import Literal


class LineDecoder:
    """Decodes the lines of one file.

    The first line that is not ASCII decides: where it is UTF-8, later lines that are not are
    problems; where it is not, the file is read as Windows-1252 from there on.
    """

    def __init__(self) -> None:
        self._encoding: Literal["", "utf-8", "cp1252"] = ""

    def decode(self, line: bytes) -> str | UnicodeDecodeError:
        """Return the text of a line, or the error of one that is not in the file's encoding."""
        if line.isascii():
            return line.decode("ascii")
        if self._encoding != "cp1252":
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                if self._encoding == "utf-8":
                    return error
            else:
                self._encoding = "utf-8"
                return text
        try:
            text = line.decode("cp1252")
        except UnicodeDecodeError as error:
            return error
        self._encoding = "cp1252"
        return text
