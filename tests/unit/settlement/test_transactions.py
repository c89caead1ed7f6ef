"""Keys and addresses of the account that settles."""

import pytest
from eth_account import Account

from proofbook.chain.rpc import AsyncRpc, from_hex
from proofbook.settlement.deployment import artifact, created_address
from proofbook.settlement.errors import ArtifactNotFound, DevelopmentKeyRefused
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Fees, Sender


@pytest.mark.parametrize("key", DEVELOPMENT_KEYS)
def test_development_keys_are_refused_on_other_chains(key: bytes) -> None:
    with pytest.raises(DevelopmentKeyRefused) as caught:
        Sender(AsyncRpc("http://node.invalid"), key, chain_id=1)
    assert caught.value.chain_id == 1


def test_a_key_of_ones_own_is_taken_on_any_chain() -> None:
    assert Sender(AsyncRpc("http://node.invalid"), b"\x01" * 32, chain_id=1).address


def test_development_keys_are_those_of_the_known_mnemonic() -> None:
    Account.enable_unaudited_hdwallet_features()
    mnemonic = "test " * 11 + "junk"
    for index, key in enumerate(DEVELOPMENT_KEYS):
        path = f"m/44'/60'/0'/0/{index}"
        assert Account.from_mnemonic(mnemonic, account_path=path).key == key


def test_the_first_contract_of_the_first_account_is_where_everybody_knows_it() -> None:
    sender = from_hex(Account.from_key(DEVELOPMENT_KEYS[0]).address)
    known = "5fbdb2315678afecb367f032d93f642f64180aa3"
    assert created_address(sender, 0).hex() == known


def test_fees_that_replace_a_transaction_are_a_quarter_higher_rounded_up() -> None:
    assert Fees(101, 1).bumped() == Fees(127, 2)
    assert Fees(100, None).bumped() == Fees(125, None)


def test_a_contract_that_is_not_compiled_is_a_fault() -> None:
    with pytest.raises(ArtifactNotFound, match="make setup"):
        artifact("Nothing")
