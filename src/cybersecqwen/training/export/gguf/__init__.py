"""A merged model as one GGUF file for llama.cpp, quantised or not."""

from cybersecqwen.core.errors import require_extra

require_extra("llm", "gguf", "xllamacpp")
