// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271, IKeyManager} from "./External.sol";
import {GROUPMEMBER_PURPOSE, HubStorage} from "./Storage.sol";
import {OrderWord} from "./Words.sol";

/// Who agreed to what: signatures, presignatures and restrictions.
abstract contract Signatures is HubStorage {
    /// Half of the order of secp256k1: a higher `s` is the malleable twin of a lower one.
    uint256 private constant S_MAX =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    function _isPresigned(address account, bytes32 hash) internal view returns (bool) {
        return account != address(0) && account == OrderWord.signer(_orders[hash]);
    }

    function _isSignedOrPresigned(address account, bytes32 hash, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        return _agreed(account, hash, _orders[hash], signature);
    }

    /// Signed on chain, as the word of the order says, or by this signature.
    function _agreed(address account, bytes32 hash, uint256 word, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        if (account != address(0) && account == OrderWord.signer(word)) return true;
        return _isSigned(account, hash, signature);
    }

    /// How much of an order is used up.
    function _consumedOf(bytes32 hash, uint256 word) internal view returns (uint256) {
        return word & OrderWord.WIDE == 0 ? OrderWord.consumed(word) : _wideConsumed[hash];
    }

    function _setConsumed(bytes32 hash, uint256 word, uint256 consumed) internal {
        uint256 signer = uint160(word);
        if (consumed > OrderWord.CONSUMED) {
            _wideConsumed[hash] = consumed;
            _orders[hash] = signer | OrderWord.WIDE;
        } else {
            _orders[hash] = signer | (consumed << OrderWord.CONSUMED_AT);
        }
    }

    /// A key's own signature is tried first even when the account has code, so that an account
    /// that delegates (EIP-7702) can still sign. Nothing is ever signed by the zero address.
    function _isSigned(address account, bytes32 hash, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        bool ofKey = signature.length == 65 || signature.length == 64;
        if (ofKey) {
            address signer = _recover(hash, signature);
            if (signer != address(0) && signer == account) return true;
        }
        if (account.code.length == 0) {
            require(ofKey, "invalid-signature-format");
            return false;
        }
        try IERC1271(account).isValidSignature(hash, signature) returns (bytes4 magic) {
            return magic == IERC1271.isValidSignature.selector;
        } catch {
            return false;
        }
    }

    function _isAuthorized(address restriction, address account) internal view returns (bool) {
        if (restriction == address(0) || restriction == account) return true;
        if (restriction.code.length == 0) return false;
        bytes32 key = bytes32(uint256(uint160(account)));
        try IKeyManager(restriction).keyHasPurpose(key, GROUPMEMBER_PURPOSE) returns (bool held) {
            return held;
        } catch {
            return false;
        }
    }

    /// The digest a wallet signs for "personal messages" of 32 bytes (EIP-191).
    function _personalMessage(bytes32 hash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", hash));
    }

    /// 65 bytes: r, s, v; 64 bytes: r, then s with the parity in its top bit (EIP-2098).
    function _recover(bytes32 hash, bytes calldata signature) private pure returns (address) {
        bytes32 r = bytes32(signature[0:32]);
        uint256 s = uint256(bytes32(signature[32:64]));
        uint8 v;
        if (signature.length == 65) {
            v = uint8(signature[64]);
        } else {
            v = uint8(27 + (s >> 255));
            s &= type(uint256).max >> 1;
        }
        if (s > S_MAX) return address(0);
        return ecrecover(hash, v, r, bytes32(s));
    }
}
