//! The compiled official contracts, as their npm packages carry them.

use std::{fs, path::PathBuf};

use alloy::{
    json_abi::JsonAbi,
    primitives::{Address, Bytes, FixedBytes, hex},
};
use anyhow::{Context as _, Result};
use serde_json::Value;

/// The last version on npm with bytecode (spec/contracts.md §0).
const POCO: (&str, &str) = ("@iexec/poco", "6.1.0");
/// The test RLC that version depends on.
const FAUCET: (&str, &str) = ("rlc-faucet-contract", "1.0.10");
/// The only library contracts are linked with.
const LIBRARY_SOURCE: &str = "contracts/libs/IexecLibOrders_v5.sol";

/// Where the packages are on this machine.
#[derive(Debug)]
pub(super) struct Artifacts {
    poco: PathBuf,
    faucet: PathBuf,
}

/// One contract: what it is called with and what it is made of.
#[derive(Debug)]
pub(super) struct Artifact {
    name: String,
    json: Value,
}

impl Artifacts {
    /// Fetches the packages unless they are kept already.
    pub(super) fn fetch() -> Result<Self> {
        let poco = tools::npm_archive(POCO.0, POCO.1)?;
        Ok(Self {
            poco,
            faucet: tools::npm_archive(FAUCET.0, FAUCET.1)?,
        })
    }

    /// A contract compiled from `contracts/<folder>/<name>.sol`.
    pub(super) fn contract(&self, folder: &str, name: &str) -> Result<Artifact> {
        let path = format!("artifacts/contracts/{folder}/{name}.sol/{name}.json");
        Artifact::read(name, self.poco.join(path))
    }

    /// A contract of a git dependency; only the records of live deployments have its bytecode.
    pub(super) fn deployed(&self, name: &str) -> Result<Artifact> {
        Artifact::read(
            name,
            self.poco.join(format!("deployments/arbitrum/{name}.json")),
        )
    }

    /// The token whose first owner holds the whole supply.
    pub(super) fn test_rlc(&self) -> Result<Artifact> {
        Artifact::read("RLC", self.faucet.join("build/contracts/RLC.json"))
    }
}

impl Artifact {
    fn read(name: &str, path: PathBuf) -> Result<Self> {
        let text = fs::read(&path).with_context(|| format!("read `{}`", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            json: serde_json::from_slice(&text)?,
        })
    }

    /// The contract's name in the sources.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Creation code with the address of the order library filled in where it is used.
    pub(super) fn code(&self, library: Address) -> Result<Bytes> {
        let code = self.json["bytecode"]
            .as_str()
            .context("artifact without bytecode")?;
        let mut code = code.to_owned();
        let holes = &self.json["linkReferences"][LIBRARY_SOURCE]["IexecLibOrders_v5"];
        for hole in holes.as_array().into_iter().flatten() {
            let start = hole["start"].as_u64().context("hole without start")? as usize;
            let digits = 2 + 2 * start..2 + 2 * (start + Address::len_bytes());
            code.replace_range(digits, &hex::encode(library));
        }
        let code = hex::decode(&code).with_context(|| format!("`{}` is not linked", self.name))?;
        Ok(code.into())
    }

    /// Selectors the diamond must route here: functions, and the pseudo-selectors of `receive`
    /// (zeros) and `fallback` (ones) when the contract has them (spec/contracts.md §1).
    pub(super) fn selectors(&self) -> Result<Vec<FixedBytes<4>>> {
        let abi: JsonAbi = serde_json::from_value(self.json["abi"].clone())?;
        let mut selectors: Vec<_> = abi
            .functions()
            .map(|function| function.selector())
            .collect();
        if abi.receive.is_some() {
            selectors.push([0; 4].into());
        }
        if abi.fallback.is_some() {
            selectors.push([0xff; 4].into());
        }
        Ok(selectors)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(json: Value) -> Artifact {
        Artifact {
            name: "Example".to_owned(),
            json,
        }
    }

    #[test]
    fn library_fills_the_holes() {
        let hole = format!("__${}$__", "a".repeat(34));
        let references = json!({ LIBRARY_SOURCE: { "IexecLibOrders_v5": [{ "start": 1 }] } });
        let example = artifact(json!({
            "bytecode": format!("0x60{hole}61"),
            "linkReferences": references,
        }));
        let code = example.code(Address::repeat_byte(7)).unwrap();
        assert_eq!(code, Bytes::from([&[0x60][..], &[7; 20], &[0x61]].concat()));
    }

    #[test]
    fn unlinked_code_is_an_error() {
        let example = artifact(json!({ "bytecode": "0x60__$aa$__61" }));
        let error = example.code(Address::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "`Example` is not linked");
    }

    #[test]
    fn fallbacks_have_pseudo_selectors() {
        let payable = "payable";
        let example = artifact(json!({ "abi": [
            { "type": "function", "name": "owner", "inputs": [], "outputs": [],
              "stateMutability": "view" },
            { "type": "fallback", "stateMutability": payable },
            { "type": "receive", "stateMutability": payable },
        ] }));
        let expected = [[0x8d, 0xa5, 0xcb, 0x5b], [0; 4], [0xff; 4]].map(FixedBytes::from);
        assert_eq!(example.selectors().unwrap(), expected);
    }
}
