//! Which secret: its kind, whose it is and its name.

use protocol::Address;

/// Characters of a `web2` secret's name: the reserved names have at most 35.
const NAME_CHARS_MAX: usize = 256;
/// Characters of a requester secret's name (spec/secrets-tee.md §1.2).
const KEY_CHARS_MAX: usize = 64;
/// The only slot an app developer has.
pub(crate) const APP_INDEX: &str = "1";

/// The place of one secret. At most one value is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    kind: Kind,
    owner: Address,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Dataset,
    Web2,
    Requester,
    App,
    Identity,
}

impl Slot {
    /// The key of an encrypted dataset (`web3` secret).
    pub const fn dataset(dataset: Address) -> Self {
        Self {
            kind: Kind::Dataset,
            owner: dataset,
            name: String::new(),
        }
    }

    /// The developer's secret of an app.
    pub fn app(app: Address) -> Self {
        Self {
            kind: Kind::App,
            owner: app,
            name: APP_INDEX.to_owned(),
        }
    }

    /// The service's own key, by which enclaves recognise it: no route pushes one.
    pub(crate) fn identity() -> Self {
        Self {
            kind: Kind::Identity,
            owner: Address::ZERO,
            name: "ed25519".to_owned(),
        }
    }

    /// A `web2` secret, e.g. `iexec-result-encryption-public-key`; the case of the name does not
    /// matter. None when the name is empty or too long.
    pub fn web2(owner: Address, name: &str) -> Option<Self> {
        let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX;
        fits.then(|| Self {
            kind: Kind::Web2,
            owner,
            name: name.to_lowercase(),
        })
    }

    /// A requester's secret. None unless the name is 1 to 64 of `[0-9A-Za-z-_]`.
    pub fn requester(owner: Address, name: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let fits = (1..=KEY_CHARS_MAX).contains(&name.len()) && name.bytes().all(allowed);
        fits.then(|| Self {
            kind: Kind::Requester,
            owner,
            name: name.to_owned(),
        })
    }

    /// The slot of a row.
    pub(crate) fn stored(kind: &str, owner: &str, name: &str) -> Option<Self> {
        let kind = match kind {
            "web3" => Kind::Dataset,
            "web2" => Kind::Web2,
            "requester" => Kind::Requester,
            "app" => Kind::App,
            "identity" => Kind::Identity,
            _ => return None,
        };
        let (owner, name) = (owner.parse().ok()?, name.to_owned());
        Some(Self { kind, owner, name })
    }

    /// Place of its kind in [`crate::metrics::KINDS`].
    pub(crate) const fn counter(&self) -> usize {
        match self.kind {
            Kind::Web2 => 0,
            Kind::Dataset => 1,
            Kind::Requester | Kind::App | Kind::Identity => 2,
        }
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Dataset => "web3",
            Kind::Web2 => "web2",
            Kind::Requester => "requester",
            Kind::App => "app",
            Kind::Identity => "identity",
        }
    }

    /// Lower-case hexadecimal, as it stands in the database.
    pub(crate) fn owner(&self) -> String {
        format!("{:#x}", self.owner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a sealed value is bound to: moved to another slot, it cannot be opened.
    pub(crate) fn binding(&self) -> Vec<u8> {
        bind([
            self.kind().as_bytes(),
            self.owner.as_slice(),
            self.name.as_bytes(),
        ])
    }
}

/// Fields in a row, with their lengths to keep neighbours apart. The first one is a kind: no two
/// tables share one.
pub(crate) fn bind<const N: usize>(fields: [&[u8]; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Address = Address::repeat_byte(0xab);

    /// spec/secrets-tee.md §1.2: what the official service refuses.
    #[test]
    fn requester_names_are_strict() {
        for name in ["a", "A-z_0", &"x".repeat(64)] {
            assert!(Slot::requester(OWNER, name).is_some(), "{name}");
        }
        for name in ["", "é", "a.b", "a/b", "a b", "a\n", &"x".repeat(65)] {
            assert!(Slot::requester(OWNER, name).is_none(), "{name}");
        }
    }

    #[test]
    fn case_matters_for_requesters_only() {
        assert_eq!(Slot::web2(OWNER, "Ab"), Slot::web2(OWNER, "aB"));
        assert_ne!(Slot::requester(OWNER, "Ab"), Slot::requester(OWNER, "aB"));
    }

    #[test]
    fn no_two_slots_share_a_binding() {
        let slots = [
            Slot::dataset(OWNER),
            Slot::app(OWNER),
            Slot::web2(OWNER, "1").unwrap(),
            Slot::requester(OWNER, "1").unwrap(),
            Slot::web2(OWNER, "11").unwrap(),
            Slot::web2(Address::repeat_byte(0xcd), "1").unwrap(),
        ];
        for (i, a) in slots.iter().enumerate() {
            for b in &slots[i + 1..] {
                assert_ne!(a.binding(), b.binding());
            }
        }
    }
}
