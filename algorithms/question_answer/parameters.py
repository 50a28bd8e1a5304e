"""What the search for answers can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from algorithms.shared.failures import BadParameter
from algorithms.shared.parameters import Parameters

RetrieverName = Literal["tfidf", "bm25"]


class QuestionAnswerParameters(Parameters, frozen=True, kw_only=True):
    """Documents are shortlisted, cut into passages, and the best of these are read."""

    questions: Annotated[
        list[str], Meta(description="What to answer; else the input `questions` is read.")
    ] = []
    retriever: Annotated[
        RetrieverName,
        Meta(description="tfidf: hashed words and pairs of words, as in DrQA; bm25: words."),
    ] = "tfidf"
    documents: Annotated[int, Meta(ge=1, description="Documents shortlisted for a question.")] = 5
    passages: Annotated[
        int, Meta(ge=1, description="Passages of these that are read, the best by the retriever.")
    ] = 20
    passage_words: Annotated[int, Meta(ge=1, description="Words a passage.")] = 150
    passage_overlap: Annotated[
        int, Meta(ge=0, description="Words that a passage shares with the next one.")
    ] = 50
    max_answer_tokens: Annotated[int, Meta(ge=1, description="Of the reader, an answer.")] = 30
    top_answers: Annotated[int, Meta(ge=1, description="Answers given to a question.")] = 5
    retriever_weight: Annotated[
        float,
        Meta(ge=0, le=1, description="Of the retriever in an answer's score; the rest: reader."),
    ] = 0.3
    no_answer_threshold: (
        Annotated[
            float,
            Meta(
                description="Of the margin (logits) of no answer over the best; null: never none."
            ),
        ]
        | None
    ) = None
    block_length: (
        Annotated[
            int,
            Meta(ge=16, description="Tokens at once; null: 384, or what the model takes if less."),
        ]
        | None
    ) = None
    batch_rows: Annotated[int, Meta(ge=1, description="Rows read at once.")] = 32
    stream: Annotated[bool, Meta(description="Show each answer in the log.")] = True
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(description="Of weights and arithmetic; auto: bfloat16 on a GPU, float32 on a CPU."),
    ] = "auto"


def refuse_contradictions(wanted: QuestionAnswerParameters) -> None:
    """Raises BadParameter for what each value allows alone, but not together."""
    if wanted.passage_overlap >= wanted.passage_words:
        raise BadParameter(
            f"Parameter passageOverlap is {wanted.passage_overlap}: it must be less than "
            f"passageWords ({wanted.passage_words})."
        )
