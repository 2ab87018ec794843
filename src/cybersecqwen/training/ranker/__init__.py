"""Training of the option ranker for open-book multiple choice. Needs the ``train`` extra."""

from cybersecqwen.core.errors import require_extra

require_extra("train", "torch")
