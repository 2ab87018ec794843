from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from cybersecqwen.core.text.clean import words
from cybersecqwen.corpus.cleaning.similarity import SimilarityIndex, prepare
from cybersecqwen.corpus.records.recipe import NearDuplicate
from cybersecqwen.corpus.records.rows import Measure
from small_corpus import TEXTS

SIXTEEN = "one two three four five six seven eight nine ten eleven twelve alpha beta gamma delta"


def _match(items: list[str], texts: list[str], **limits: float) -> dict[Measure, dict]:
    near = NearDuplicate(**limits)
    pairs = SimilarityIndex(items, near).match(prepare(texts, near.ngram))
    return {
        measure: {
            (t, i): round(s, 6)
            for t, i, s in zip(p.texts.tolist(), p.items.tolist(), p.scores.tolist(), strict=True)
        }
        for measure, p in pairs.items()
    }


def test_the_share_of_ngrams_is_of_the_items_distinct_ones() -> None:
    # 16 words make nine 8-grams; the first 12 words hold five of them, the first 11 four.
    found = _match([SIXTEEN], [" ".join(SIXTEEN.split()[:n]) + " and more" for n in (12, 11)])
    assert found["ngram"] == {(0, 0): round(5 / 9, 6)}


def test_case_and_punctuation_do_not_hide_an_ngram() -> None:
    assert _match([SIXTEEN], [SIXTEEN.upper().replace(" ", ", ")])["text"] == {(0, 0): 1.0}


def test_repeating_an_ngram_does_not_add_to_its_share() -> None:
    text = " ".join([" ".join(SIXTEEN.split()[:8])] * 9)
    assert _match([SIXTEEN], [text])["ngram"] == {}


def test_one_text_inside_the_other_is_found_both_ways() -> None:
    inner = " ".join(SIXTEEN.split()[2:11])
    found = _match([SIXTEEN], [inner])
    assert (found["text"], found["excerpt"]) == ({}, {(0, 0): 1.0})
    found = _match([inner], [SIXTEEN])
    assert (found["text"], found["excerpt"]) == ({(0, 0): 1.0}, {})
    # Seven words in a row are too few to say anything, unless they are the whole of both.
    seven = " ".join(SIXTEEN.split()[2:9])
    assert _match([SIXTEEN], [seven])["excerpt"] == {}
    assert _match([seven], [seven])["text"] == {(0, 0): 1.0}


def test_all_ngrams_in_another_order_is_not_word_for_word() -> None:
    # The text holds both halves of the item, but apart.
    item = " ".join(SIXTEEN.split()[:9])
    text = " ".join([*SIXTEEN.split()[1:9], *SIXTEEN.split()[:8]])
    found = _match([item], [text])
    assert found["ngram"] == {(0, 0): 1.0}
    assert found["text"] == {}


def test_an_item_shorter_than_an_ngram_counts_as_one_piece() -> None:
    found = _match(["weak random seed"], ["It has a weak random seed here", "weak random"])
    assert found["ngram"] == {(0, 0): 1.0}


def test_empty_texts_are_like_nothing() -> None:
    found = _match(["", SIXTEEN], ["", "…"])
    assert found == {
        "text": {},
        "excerpt": {},
        "digits": {},
        "ngram": {},
        "cosine": {},
        "words": {},
    }


def test_sentences_that_changed_places_are_found_by_their_words() -> None:
    first, second, third = (" ".join(text.split()[:9]) for text in list(TEXTS.values())[:3])
    item = f"{first}. {second}. {third}."
    tokens = f"{third} {first} {second}".split()
    text = " ".join(tokens[::2] + tokens[1::2])
    found = _match([item, *TEXTS.values()], [text])
    assert found["words"] == {(0, 0): 1.0}
    assert (found["ngram"], found["cosine"]) == ({}, {})


@pytest.mark.parametrize("measure", ["cosine", "words"])
@pytest.mark.parametrize("limit", [0.2, 0.5, 0.8])
def test_cosines_are_those_of_scikit_learn_with_the_items_as_its_corpus(
    limit: float, measure: Measure
) -> None:
    rng = np.random.default_rng(7)
    pool = [word for text in TEXTS.values() for word in text.split()]
    common = ["the", "of", "a"]
    items = [" ".join([*rng.choice(pool, 12), *common]) for _ in range(40)]
    # Copies with ever more words exchanged, and texts of common words alone.
    texts = []
    for item in items[:20]:
        for changed in (0, 2, 4, 8):
            copy = item.split()
            copy[:changed] = rng.choice(pool, changed)
            texts.append(" ".join(copy))
    texts += ["the of a", "the the of"]
    items.append("the of a")
    # Fitted on the items; a word that no item has still has a place and the highest weight.
    analyze = words if measure == "words" else _words_and_pairs
    vocabulary = TfidfVectorizer(analyzer=analyze).fit(items + texts).vocabulary_
    vectors = TfidfVectorizer(analyzer=analyze, sublinear_tf=True, vocabulary=vocabulary)
    vectors.fit(items)
    expected = (vectors.transform(texts) @ vectors.transform(items).T).toarray()
    found = _match(items, texts, cosine=limit)[measure]
    wanted = {(t, i) for t, i in zip(*np.nonzero(expected >= limit), strict=True)}
    assert set(found) == wanted
    assert len(wanted) > 20
    for (text, item), score in found.items():
        assert score == pytest.approx(expected[text, item], abs=1e-6)


def _words_and_pairs(text: str) -> list[str]:
    tokens = words(text)
    return [*tokens, *(f"{a} {b}" for a, b in pairwise(tokens))]


def test_a_score_does_not_depend_on_the_other_texts_of_the_block() -> None:
    items = list(TEXTS.values())
    near = items[0].replace("crafted", "prepared").replace("image", "picture")
    alone = _match(items, [near], cosine=0.5)["cosine"]
    among = _match(items, [near, *["unrelated words entirely"] * 50], cosine=0.5)["cosine"]
    assert alone == among
    assert 0.5 < alone[0, 0] < 1
