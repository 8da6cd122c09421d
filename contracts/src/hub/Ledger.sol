// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HubStorage, KITTY_ADDRESS} from "./Storage.sol";
import {AccountWord, Vault} from "./Words.sol";
import {HubEvents} from "./Events.sol";

/// The accounting of the hub. What is locked is held by the hub's own balance, so that balance
/// always equals the sum of everything locked (plus what was sent to it by mistake).
///
/// The functions with `Log` in their name only tell; {Settlement} moves the money of a whole
/// transaction at once.
abstract contract Ledger is HubStorage, HubEvents {
    using AccountWord for uint256;

    /// Keeps every balance within 96 bits.
    uint256 private constant SUPPLY_MAX = type(uint96).max;
    uint256 private constant LOCKED_ONE = 1 << AccountWord.LOCKED_AT;

    function _mint(address to, uint256 amount) internal {
        require(to != address(0), "ERC20: mint to the zero address");
        uint256 supply = _totalSupply + amount;
        require(supply <= SUPPLY_MAX);
        _totalSupply = supply;
        _credit(to, amount);
        emit Transfer(address(0), to, amount);
    }

    function _burn(address from, uint256 amount) internal {
        require(from != address(0), "ERC20: burn from the zero address");
        _debit(from, amount);
        unchecked {
            _totalSupply -= amount;
        }
        emit Transfer(from, address(0), amount);
    }

    /// The ERC-20 transfer: silent when the balance is short, unlike {_lock}.
    function _send(address from, address to, uint256 amount) internal {
        require(from != address(0), "ERC20: transfer from the zero address");
        require(to != address(0), "ERC20: transfer to the zero address");
        _debit(from, amount);
        _credit(to, amount);
        emit Transfer(from, to, amount);
    }

    function _approve(address owner_, address spender, uint256 amount) internal {
        require(owner_ != address(0), "ERC20: approve from the zero address");
        require(spender != address(0), "ERC20: approve to the zero address");
        _allowances[owner_][spender] = amount;
        emit Approval(owner_, spender, amount);
    }

    /// Locks an amount; the caller adds it to the vault. Returns the account as it was.
    function _lock(address account, uint256 amount) internal returns (uint256 word) {
        require(account != address(0), "IexecEscrow: Transfer from empty address");
        word = _accounts[account];
        require(amount <= word.free(), "IexecEscrow: Transfer amount exceeds balance");
        unchecked {
            if (amount != 0) _accounts[account] = word + amount * (LOCKED_ONE - 1);
        }
        emit Transfer(account, address(this), amount);
        emit Lock(account, amount);
    }

    /// Unlocks `stake`, pays `amount` besides and adds to the score; the caller takes both out
    /// of the vault.
    function _release(address account, uint256 stake, uint256 amount, uint256 score) internal {
        uint256 word = _accounts[account];
        _checkLocked(word, stake);
        unchecked {
            uint256 changed = word + stake + amount - (stake << AccountWord.LOCKED_AT)
                + (score << AccountWord.SCORE_AT);
            if (changed != word) _accounts[account] = changed;
        }
    }

    /// Takes away from what is locked. The hub's balance has it already.
    function _forfeit(address account, uint256 amount) internal returns (uint256 word) {
        word = _accounts[account];
        _checkLocked(word, amount);
        unchecked {
            word -= amount << AccountWord.LOCKED_AT;
        }
        if (amount != 0) _accounts[account] = word;
    }

    function _credit(address to, uint256 amount) internal {
        if (amount == 0) return;
        unchecked {
            if (to == address(this)) _vault += amount;
            else _accounts[to] += amount;
        }
    }

    function _logUnlock(address account, uint256 amount) internal {
        emit Transfer(address(this), account, amount);
        emit Unlock(account, amount);
    }

    function _logReward(address account, uint256 amount, bytes32 ref) internal {
        emit Transfer(address(this), account, amount);
        emit Reward(account, amount, ref);
    }

    function _freeOf(address account) internal view returns (uint256) {
        return account == address(this) ? Vault.balance(_vault) : _accounts[account].free();
    }

    function _lockedOf(address account) internal view returns (uint256) {
        return account == KITTY_ADDRESS ? Vault.kitty(_vault) : _accounts[account].locked();
    }

    function _debit(address from, uint256 amount) private {
        uint256 word = _accounts[from];
        require(amount <= word.free());
        unchecked {
            if (amount != 0) _accounts[from] = word - amount;
        }
    }

    /// What was locked for a deal stays locked until its tasks end, so this never fails.
    function _checkLocked(uint256 word, uint256 amount) private pure {
        assert(amount <= word.locked());
    }
}
