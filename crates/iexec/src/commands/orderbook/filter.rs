//! Filters that all order books have.

use protocol::Tag;
use sdk::{parse, services::market::Filter};

/// Options.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Exactly this tag, e.g. `tee,tdx`
    #[arg(long, conflicts_with_all = ["require_tag", "max_tag"])]
    tag: Option<String>,
    /// At least this tag
    #[arg(long, value_name = "tag")]
    require_tag: Option<String>,
    /// At most this tag
    #[arg(long, value_name = "tag")]
    max_tag: Option<String>,
    /// At least this volume left
    #[arg(long, value_name = "integer")]
    min_volume: Option<String>,
    /// Also orders restricted to this requester
    #[arg(long, value_name = "address")]
    requester: Option<String>,
}

impl FilterArgs {
    /// The filter so far: the command adds its own part.
    pub(super) fn read(&self) -> Result<Filter, sdk::Error> {
        let tag = |given: &Option<String>| given.as_deref().map(Tag::parse).transpose();
        let exact = tag(&self.tag)?;
        let volume = self
            .min_volume
            .as_deref()
            .map(|text| parse::integer("--min-volume", text));
        Ok(Filter {
            min_tag: exact.or(tag(&self.require_tag)?),
            max_tag: exact.or(tag(&self.max_tag)?),
            min_volume: volume.transpose()?,
            requester: parse::address_or_any("--requester", self.requester.as_deref())?,
            ..Filter::default()
        })
    }
}
