"""One file per upstream format, each turning it into core records."""

from cybersecqwen.sources.detect import FORMATS, detect_format, read_advisories
from cybersecqwen.sources.io.position import ReadPosition
from cybersecqwen.sources.io.unpack import UnpackLimits

__all__ = ["FORMATS", "ReadPosition", "UnpackLimits", "detect_format", "read_advisories"]
