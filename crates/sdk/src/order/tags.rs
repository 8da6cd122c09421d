//! Which tags make sense on which order (spec/client.md §4.4). Pure.

use protocol::{Tag, order::Kind};

use crate::{Code, Error, Misuse};

/// The only tag that confidential runs have today.
const USE_TDX: &str = "use the tag tee,tdx";

/// Reads names between commas or a bytes32 hexstring, and checks the combination.
///
/// # Errors
/// [`Error::Protocol`] for an unknown name, [`Error::Misuse`] for a combination that no worker can
/// serve.
pub fn read(field: &str, kind: Kind, text: &str) -> Result<Tag, Error> {
    let tag = Tag::parse(text)?;
    check(field, kind, tag)?;
    Ok(tag)
}

/// Checks a tag. Dataset orders may say `tee` alone, or a framework that is gone: what counts of
/// them in a match is `tee`. Requests may say `tee` alone: the app order adds the framework.
///
/// # Errors
/// [`Error::Misuse`] naming the rule.
pub fn check(field: &str, kind: Kind, tag: Tag) -> Result<(), Error> {
    let has = |name| Tag::parse(name).is_ok_and(|bit| tag.covers(bit));
    let frameworks = ["scone", "gramine", "tdx"].map(|name| (name, has(name)));
    let worn: Vec<_> = frameworks
        .iter()
        .filter_map(|(name, worn)| worn.then_some(*name))
        .collect();
    let hint = format!("{USE_TDX} in {field}");
    let (code, rule) = match worn[..] {
        [_, _, ..] => (
            Code::IncompleteTeeTag,
            "only one of scone, gramine and tdx makes sense".to_owned(),
        ),
        [name] if !tag.is_tee() => (
            Code::IncompleteTeeTag,
            format!("'{name}' tag must be used with 'tee' tag"),
        ),
        [name @ ("scone" | "gramine")] if kind != Kind::Dataset => {
            return Err(legacy(name, &hint));
        }
        [] if tag.is_tee() && matches!(kind, Kind::App | Kind::Workerpool) => {
            (Code::IncompleteTeeTag, NO_FRAMEWORK.to_owned())
        }
        _ => return Ok(()),
    };
    Err(Misuse::error(code, rule, hint))
}

/// The official words.
const NO_FRAMEWORK: &str = "'tee' tag must be used with a tee framework ('tdx')";

fn legacy(name: &str, hint: &str) -> Error {
    Misuse::error(
        Code::LegacyTeeTag,
        format!("Unsupported legacy TEE framework tag ('{name}')"),
        format!("{hint}: Scone and Gramine are legacy, and no worker serves them any more"),
    )
}

/// Checks the tag of a whole deal: with `tee` alone no secret manager knows the framework, and the
/// task would fail after it is paid.
///
/// # Errors
/// [`Error::Misuse`].
pub fn check_deal(tag: Tag) -> Result<(), Error> {
    if !tag.is_tee() || tag.is_tdx() {
        return Ok(());
    }
    let has = |name| Tag::parse(name).is_ok_and(|bit| tag.covers(bit));
    if let Some(name) = ["scone", "gramine"].into_iter().find(|name| has(name)) {
        return Err(legacy(name, USE_TDX));
    }
    let hint = format!("{USE_TDX} for the run or the app order");
    Err(Misuse::error(Code::IncompleteTeeTag, NO_FRAMEWORK, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind, text: &str) -> String {
        let read = read("--tag", kind, text);
        read.map_or_else(|error| error.to_string(), |tag| tag.to_string())
    }

    #[test]
    fn combinations_that_can_be_served_are_read() {
        for kind in Kind::ALL {
            for good in ["", "tee,tdx", "gpu", "tee,tdx,gpu"] {
                assert!(read("--tag", kind, good).is_ok(), "{kind:?} {good}");
            }
            assert!(error(kind, "tdx").contains("'tdx' tag must be used with 'tee' tag"));
            assert!(error(kind, "tee,scone,tdx").contains("only one of"));
            assert!(error(kind, "foo").contains("Unknown tag foo"));
        }
    }

    #[test]
    fn what_is_gone_is_left_to_datasets() {
        assert!(read("--tag", Kind::Dataset, "tee,scone").is_ok());
        assert!(error(Kind::App, "tee,scone").contains("'scone'"));
        assert!(error(Kind::Request, "tee,gramine").contains("'gramine'"));
    }

    #[test]
    fn a_deal_has_a_framework_or_no_enclave() {
        let code = |text| {
            let checked = check_deal(Tag::parse(text).unwrap());
            checked.err().and_then(|error| error.code())
        };
        for good in ["", "gpu", "tee,tdx", "tee,tdx,gpu"] {
            assert_eq!(code(good), None, "{good}");
        }
        assert_eq!(code("tee"), Some("INCOMPLETE_TEE_TAG"));
        assert_eq!(code("tee,gpu"), Some("INCOMPLETE_TEE_TAG"));
        assert_eq!(code("tee,scone"), Some("LEGACY_TEE_TAG"));
        assert_eq!(code("tee,gramine,tdx"), Some("LEGACY_TEE_TAG"));
    }

    #[test]
    fn tee_alone_is_for_datasets_and_requests() {
        for (kind, is_good) in [
            (Kind::App, false),
            (Kind::Dataset, true),
            (Kind::Workerpool, false),
            (Kind::Request, true),
        ] {
            assert_eq!(read("--tag", kind, "tee").is_ok(), is_good, "{kind:?}");
        }
    }
}
