//! The files of a project folder (spec/client.md §2), as text in and text out: where they lie is
//! the caller's affair.

mod category_section;
pub mod chain_json;
pub mod deployed_json;
pub mod iexec_json;
pub mod network_json;
pub mod order_section;
pub mod orders_json;
pub mod sections;

/// JSON as the official client writes it: two spaces, no newline at the end.
pub fn pretty<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
