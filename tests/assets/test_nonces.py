"""The nonce book's rules."""

from __future__ import annotations

import pytest

from posthuman.assets.nonces import gaps, held_by, holder, release, reserve, settle
from posthuman.chain import SignerNonces
from posthuman.errors import TransientError
from posthuman.ports import NonceBook

IDLE = SignerNonces(settled=7, mined=7, pending=7)


def test_a_new_book_begins_where_the_chain_is() -> None:
    book, nonce = reserve(NonceBook(), "p/create", IDLE)
    assert nonce == 7
    assert book.next_nonce == 8
    assert book.reserved == {"p/create": 7}


def test_a_fresh_account_begins_at_zero() -> None:
    assert reserve(NonceBook(), "p/create", SignerNonces(settled=0, mined=0, pending=0))[1] == 0


def test_nonces_are_given_one_after_another_whatever_is_pending() -> None:
    book = NonceBook(next_nonce=9, reserved={"o/mint": 8})
    book, first = reserve(book, "p/create", SignerNonces(settled=7, mined=7, pending=9))
    book, second = reserve(book, "q/create", SignerNonces(settled=7, mined=7, pending=8))
    assert (first, second) == (9, 10)


def test_a_reservation_is_found_again() -> None:
    book, nonce = reserve(NonceBook(), "p/create", IDLE)
    assert reserve(book, "p/create", SignerNonces(settled=7, mined=7, pending=9)) == (book, nonce)


def test_a_released_step_holds_nothing_and_its_nonce_is_not_given_again() -> None:
    book, _ = reserve(NonceBook(), "p/create", IDLE)
    book = release(book, frozenset({"p/create", "p/absent"}))
    assert book.reserved == {}
    assert reserve(book, "p/create", SignerNonces(settled=8, mined=8, pending=8))[1] == 8


def test_only_a_publications_own_steps_are_told() -> None:
    book = NonceBook(reserved={"p/create": 1, "p/mint": 2, "pp/transfer": 3})
    assert held_by(book, "p") == {"create": 1, "mint": 2}
    assert holder("p", "mint") in book.reserved


def test_nonces_that_someone_else_used_are_left_out_once_they_are_mined() -> None:
    book = NonceBook(next_nonce=5)
    book, nonce = reserve(book, "p/create", IDLE)
    assert nonce == 7


@pytest.mark.parametrize("next_nonce", [-1, 5, 7])
def test_unknown_transactions_in_flight_are_waited_for(next_nonce: int) -> None:
    """They may be ours, of a book that was lost."""
    book = NonceBook(next_nonce=next_nonce)
    with pytest.raises(TransientError, match="1 transactions") as refused:
        reserve(book, "p/create", SignerNonces(settled=7, mined=7, pending=8))
    assert refused.value.reason == "SignerBusy"


def test_a_reserved_nonce_that_is_spent_is_told_until_that_is_settled() -> None:
    book = NonceBook(next_nonce=8, reserved={"p/mint": 6})
    with pytest.raises(TransientError, match="nonce 6") as refused:
        reserve(book, "p/mint", SignerNonces(settled=6, mined=7, pending=7))
    assert refused.value.reason == "NonceTaken"
    assert reserve(book, "p/mint", IDLE)[1] == 8


def test_only_what_no_live_publication_brings_and_the_node_lacks_is_a_gap() -> None:
    book = NonceBook(next_nonce=12, reserved={"gone/create": 7, "gone/mint": 8, "p/create": 10})
    chain = SignerNonces(settled=7, mined=7, pending=8)
    assert gaps(book, frozenset({"p"}), 11, chain) == {8, 9}
    assert gaps(book, frozenset({"p", "gone"}), 11, chain) == {9}


def test_what_is_settled_is_dropped_and_what_may_still_be_mined_is_kept() -> None:
    book = NonceBook(
        next_nonce=9,
        reserved={"gone/create": 6, "gone/mint": 7, "p/create": 5},
        fillers={6: "0x06", 7: "0x07"},
    )
    kept = settle(book, frozenset({"p"}), IDLE)
    assert kept.reserved == {"gone/mint": 7, "p/create": 5}
    assert kept.fillers == {7: "0x07"}
