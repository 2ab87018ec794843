"""What OpenAI's API takes, as far as it is served here; what is not known is let through."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.serving.errors import ApiError

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

# Parameters that change the answer, and the values under which they do not.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "suffix": (None, ""),
    "echo": (None, False),
}


class Lenient(BaseModel):
    """A request whose unknown keys are kept: an upstream may know them."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ChatMessage(Lenient):
    """One turn."""

    role: str = Field(max_length=20)
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(Lenient):
    """What a stream also holds."""

    include_usage: bool = False


class Drawing(Lenient):
    """What chat and text completions share."""

    model: str = Field(max_length=500)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 63)
    stop: str | list[str] | None = None
    n: int | None = None

    @field_validator("stop")
    @classmethod
    def _few(cls, stop: str | list[str] | None) -> str | list[str] | None:
        marks = [stop] if isinstance(stop, str) else stop or []
        if len(marks) > 16 or any(len(mark) > 200 for mark in marks):
            raise ValueError("give 16 stop texts of 200 characters at most")
        return stop

    @property
    def asked_tokens(self) -> int | None:
        """Tokens asked for."""
        return self.max_tokens

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def check_neutral(self) -> None:
        """Refuse what would be left undone.

        Raises:
            ApiError: A parameter asks for what is not done here.
        """
        given = self.model_dump()
        for name, neutral in _NEUTRAL.items():
            if given.get(name) not in neutral:
                only = " (only 1 is)" if name in {"n", "best_of"} else ""
                raise ApiError(
                    400, f"{name}: this value is not supported{only}", "unsupported_parameter"
                )

    def sampling(self, *, default: int, most: int, seed: int, raw: bool = False) -> Sampling:
        """Return how to draw.

        Raises:
            ApiError: More tokens are asked for than an answer may have.
        """
        tokens = self.asked_tokens
        if tokens is not None and tokens > most:
            raise ApiError(400, f"max_tokens: {tokens} is more than {most}", "too_many_tokens")
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            max_tokens=min(default, most) if tokens is None else tokens,
            seed=seed if self.seed is None else self.seed,
            stop=tuple(mark for mark in stop if mark),
            raw=raw,
        )


class ChatRequest(Drawing):
    """What ``/v1/chat/completions`` takes."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "cybersecqwen-embedded",
                    "messages": [{"role": "user", "content": "What is CWE-79?"}],
                }
            ]
        },
    )

    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    max_completion_tokens: int | None = Field(None, ge=1)

    @property
    def asked_tokens(self) -> int | None:
        """Tokens asked for."""
        return self.max_completion_tokens or self.max_tokens

    def conversation(self) -> list[Message]:
        """Return the turns.

        Raises:
            ApiError: A turn has an unknown role, or holds something other than text.
        """
        turns = []
        for number, turn in enumerate(self.messages):
            role = _ROLES.get(turn.role)
            if role is None:
                raise ApiError(
                    400, f"messages.{number}.role: {turn.role!r} is not supported", "bad_role"
                )
            turns.append(Message(role, _text(turn, number)))  # type: ignore[arg-type]
        return turns


def _text(turn: ChatMessage, number: int) -> str:
    if turn.content is None:
        return ""
    if isinstance(turn.content, str):
        return turn.content
    parts = []
    for part in turn.content:
        text = part.get("text")
        if part.get("type") != "text" or not isinstance(text, str):
            raise ApiError(400, f"messages.{number}.content: only text is read", "not_text")
        parts.append(text)
    return "".join(parts)


class CompletionRequest(Drawing):
    """What ``/v1/completions`` takes."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        json_schema_extra={"examples": [{"model": "cybersecqwen-embedded", "prompt": "CWE-79"}]},
    )

    prompt: str | list[str] | list[int] | list[list[int]] = Field(...)

    @property
    def text(self) -> str:
        """The text to go on from.

        Raises:
            ApiError: There are several, or none, or it is given as tokens.
        """
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if len(prompts) != 1 or not isinstance(prompts[0], str):
            raise ApiError(400, "prompt: give one text", "unsupported_parameter")
        return prompts[0]
