//! Which tags make sense on which order (spec/client.md §4.4). Pure.

use protocol::{Tag, order::Kind};

use crate::Error;

/// Reads names between commas or a bytes32 hexstring, and checks the combination.
///
/// # Errors
/// [`Error::Protocol`] for an unknown name, [`Error::Invalid`] for a combination that no worker
/// can serve.
pub fn read(field: &str, kind: Kind, text: &str) -> Result<Tag, Error> {
    let tag = Tag::parse(text)?;
    check(field, kind, tag)?;
    Ok(tag)
}

/// Checks a tag. Dataset orders may say `tee` alone, or a framework that is gone: what counts of
/// them in a match is `tee`. Requests may say `tee` alone: the app order adds the framework.
///
/// # Errors
/// [`Error::Invalid`] naming the rule.
pub fn check(field: &str, kind: Kind, tag: Tag) -> Result<(), Error> {
    let has = |name| Tag::parse(name).is_ok_and(|bit| tag.covers(bit));
    let frameworks = ["scone", "gramine", "tdx"].map(|name| (name, has(name)));
    let worn: Vec<_> = frameworks
        .iter()
        .filter_map(|(name, worn)| worn.then_some(*name))
        .collect();
    let rule = match worn[..] {
        [_, _, ..] => "only one of scone, gramine and tdx makes sense".to_owned(),
        [name] if !tag.is_tee() => format!("'{name}' tag must be used with 'tee' tag"),
        ["scone" | "gramine"] if kind != Kind::Dataset => {
            format!("Unsupported legacy TEE framework tag ('{}')", worn[0])
        }
        [] if tag.is_tee() && matches!(kind, Kind::App | Kind::Workerpool) => {
            "'tee' tag must be used with a tee framework ('tdx')".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Error::malformed(field, rule))
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
