"""One file per upstream format, each turning it into core records."""

from cybersecqwen.sources.detect import FORMATS, Format, detect_format, read_advisories

__all__ = ["FORMATS", "Format", "detect_format", "read_advisories"]
