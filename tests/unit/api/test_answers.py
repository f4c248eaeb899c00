"""The encoded answers: bounded, and the hot path's view of them in step."""

import asyncio

from dantaro.api.answers import Answers, etag_of
from dantaro.api.encoding import NOT_KEPT, Encoded


def answer(size: int = 1000, *, valid_until_ms: int | None = None) -> Encoded:
    return Encoded("/r", b"x" * size, None, NOT_KEPT, valid_until_ms=valid_until_ms)


def test_the_least_recently_used_is_dropped_with_its_requests() -> None:
    answers = Answers(max_bytes=12_000)
    for name in ("a", "b"):
        answers.keep(name, answer())
        answers.remember(name, (f"/{name}", b""))
    answers.get("a", now_ms=0)

    answers.keep("c", answer(2000))

    assert answers.get("b", now_ms=0) is None
    assert set(answers.hot) == {("/a", b"")}


def test_memory_is_bounded_however_many_are_kept() -> None:
    answers = Answers(max_bytes=50_000)
    for number in range(1000):
        answers.keep(number, answer())
        for spelling in range(40):
            answers.remember(number, (f"/{number}", b"%d" % spelling))

    assert answers.bytes <= 50_000
    assert len(answers.hot) <= 16 * 50_000 // 4000


def test_a_giant_spelling_is_not_remembered() -> None:
    answers = Answers()
    answers.keep("a", answer())
    answers.remember("a", ("/a", b"x" * 300))

    assert answers.hot == {}


def test_what_no_longer_holds_is_dropped() -> None:
    answers = Answers()
    answers.keep("a", answer(valid_until_ms=100))
    answers.remember("a", ("/a", b""))

    assert answers.get("a", now_ms=99) is not None
    assert answers.get("a", now_ms=100) is None
    assert answers.hot == {}
    assert answers.bytes == 0


def test_forgetting_leaves_nothing() -> None:
    answers = Answers()
    answers.keep("a", answer())
    answers.remember("a", ("/a", b""))
    answers.forget()

    assert (answers.get("a", now_ms=0), answers.hot, answers.bytes) == (None, {}, 0)


async def test_many_who_wait_for_one_answer_make_it_once() -> None:
    answers, made = Answers(), []

    async def make() -> Encoded:
        made.append(1)
        await asyncio.sleep(0.01)
        return answer()

    results = await asyncio.gather(*(answers.once("a", make) for _ in range(20)))

    assert len(made) == 1
    assert len({id(result) for result in results}) == 1
    assert answers.get("a", now_ms=0) is results[0]


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    answers = Answers()

    async def fail() -> Encoded:
        await asyncio.sleep(0)
        raise ValueError("no")

    results = await asyncio.gather(
        *(answers.once("a", fail) for _ in range(3)), return_exceptions=True
    )

    assert [type(result) for result in results] == [ValueError] * 3
    assert answers.get("a", now_ms=0) is None


def test_tags_differ_when_anything_does() -> None:
    tags = {
        etag_of(1, "fresh", ("a",)),
        etag_of(2, "fresh", ("a",)),
        etag_of(1, "stale", ("a",)),
        etag_of(1, "fresh", ("b",)),
    }
    assert len(tags) == 4
    assert etag_of(1, "fresh", ("a",)) in tags
