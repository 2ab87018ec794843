"""Raw records to clean, decontaminated, split rows."""

from cybersecqwen.core.errors import require_extra

require_extra("corpus", "scipy", "sklearn")
