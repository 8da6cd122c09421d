//! A machine that runs contracts without a node around it.
//!
//! It is a crate of its own because everything in revm is generic: what a crate makes of it is
//! compiled with that crate, and only this one is optimised in tests, which makes them four times
//! as fast (Cargo.toml).

use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use revm::bytecode::Bytecode;
use revm::context::result::{EVMError, ExecutionResult, ResultAndState};
use revm::context::{Context, TxEnv};
use revm::database::{CacheDB, Database, EmptyDB};
use revm::handler::MainnetContext;
use revm::state::{AccountInfo, EvmState};
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// As much as a transaction may burn.
pub const GAS: u64 = 30_000_000;

/// A transaction with everything that matters to a contract.
#[derive(Debug, Clone)]
pub struct Tx {
    /// Who sends it: any address, no signature is needed.
    pub from: Address,
    /// Whom it calls.
    pub to: Address,
    /// How many wei it brings.
    pub value: U256,
    /// What it calls with.
    pub data: Bytes,
}

/// Why a transaction could not even be tried.
pub type Error = EVMError<std::convert::Infallible>;

/// A chain in memory: its state, its clock and its rules, which are those of Ethereum but for the
/// limits of size.
#[derive(Debug)]
pub struct Machine {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
}

impl Machine {
    /// An empty chain at a time in seconds.
    #[must_use]
    pub fn new(chain_id: u64, time: u64) -> Self {
        let context = Context::mainnet()
            .with_db(CacheDB::<EmptyDB>::default())
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = chain_id;
                cfg.disable_nonce_check = true;
                // Contracts send transactions here as if somebody had called them.
                cfg.disable_eip3607 = true;
                cfg.tx_gas_limit_cap = Some(u64::MAX);
            })
            .modify_block_chained(|block| {
                block.timestamp = U256::from(time);
                block.gas_limit = GAS;
            });
        Self {
            evm: context.build_mainnet(),
        }
    }

    /// The time of the next transaction, in seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// The number that contracts see.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.evm.ctx.cfg.chain_id
    }

    /// What a fork of the chain does.
    pub fn set_chain_id(&mut self, id: u64) {
        self.evm.ctx.cfg.chain_id = id;
    }

    /// Puts a contract with this code at an address.
    pub fn put_code(&mut self, address: Address, code: Bytes) {
        let info = AccountInfo {
            code_hash: keccak256(&code),
            code: Some(Bytecode::new_raw(code)),
            ..AccountInfo::default()
        };
        self.database().insert_account_info(address, info);
    }

    /// The code at an address; nothing where no contract is.
    pub fn code(&mut self, address: Address) -> Bytes {
        let code_hash = self.account(address).code_hash;
        let Ok(code) = self.database().code_by_hash(code_hash);
        code.original_bytes()
    }

    /// Gives somebody coins from nowhere.
    pub fn give(&mut self, address: Address, wei: U256) {
        let mut info = self.account(address);
        info.balance += wei;
        self.database().insert_account_info(address, info);
    }

    /// How many wei somebody has.
    pub fn wealth(&mut self, address: Address) -> U256 {
        self.account(address).balance
    }

    /// Runs a transaction that stays.
    ///
    /// # Errors
    /// The sender has less than it sends.
    pub fn transact(
        &mut self,
        from: Address,
        to: TxKind,
        data: Bytes,
    ) -> Result<ExecutionResult, Error> {
        let tx = self.transaction(from, to, data);
        self.evm.transact_commit(tx)
    }

    /// Runs a transaction of which nothing stays unless what it did is given to [`Self::keep`].
    ///
    /// # Errors
    /// The sender has less than it sends.
    pub fn try_out(&mut self, tx: &Tx) -> Result<ResultAndState, Error> {
        let mut env = self.transaction(tx.from, TxKind::Call(tx.to), tx.data.clone());
        env.value = tx.value;
        self.evm.transact(env)
    }

    /// Makes what a transaction did part of the chain.
    pub fn keep(&mut self, state: EvmState) {
        self.evm.commit(state);
    }

    fn database(&mut self) -> &mut CacheDB<EmptyDB> {
        &mut self.evm.ctx.journaled_state.database
    }

    fn account(&mut self, address: Address) -> AccountInfo {
        let Ok(info) = self.database().basic(address);
        info.unwrap_or_default()
    }

    fn transaction(&self, caller: Address, kind: TxKind, data: Bytes) -> TxEnv {
        TxEnv {
            caller,
            kind,
            data,
            gas_limit: GAS,
            chain_id: Some(self.chain_id()),
            ..TxEnv::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_of_what_is_tried_out() {
        let [rich, poor] = [1, 2].map(Address::repeat_byte);
        let mut machine = Machine::new(1, 0);
        machine.give(rich, U256::from(5));
        let tx = Tx {
            from: rich,
            to: poor,
            value: U256::from(3),
            data: Bytes::new(),
        };
        let tried = machine.try_out(&tx).unwrap();
        assert_eq!(machine.wealth(poor), U256::ZERO);
        machine.keep(tried.state);
        assert_eq!(machine.wealth(poor), U256::from(3));
        assert!(machine.try_out(&tx).is_err());
    }
}
