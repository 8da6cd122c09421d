//! What the requester wants: options and `params` (spec/client.md §4.5, §5.2).

use std::collections::BTreeMap;

use protocol::{Address, Tag, U256, params::DealParams};
use serde_json::Value;

use crate::{Code, Error, Misuse, parse};

/// The storage provider when nothing else is said.
const DEFAULT_STORAGE: &str = "ipfs";

/// Where results can go.
const PROVIDERS: [&str; 2] = ["ipfs", "dropbox"];

/// Everything that shapes a request order, except prices: those follow the orders picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The app to run.
    pub app: Address,
    /// The dataset to use.
    pub dataset: Option<Address>,
    /// The workerpool to run on; none for any.
    pub workerpool: Option<Address>,
    /// The category; none for the smallest on offer.
    pub category: Option<u64>,
    /// Tasks: more than one is a bag of tasks, of which each gets its index.
    pub volume: U256,
    /// What the machine must have.
    pub tag: Tag,
    /// How sure the result must be.
    pub trust: U256,
    /// Who may decrypt the result; none for the requester.
    pub beneficiary: Option<Address>,
    /// A contract to call with the result; zero for none.
    pub callback: Address,
    /// What the worker is told.
    pub params: DealParams,
}

impl Wishes {
    /// A plain run of `app`, nothing else wished.
    pub fn of(app: Address) -> Self {
        Self {
            app,
            dataset: None,
            workerpool: None,
            category: None,
            volume: U256::ONE,
            tag: Tag::NONE,
            trust: U256::ZERO,
            beneficiary: None,
            callback: Address::ZERO,
            params: DealParams::default(),
        }
    }

    /// The text for the request order: the default storage added and the rules checked.
    ///
    /// # Errors
    /// [`Error::Protocol`] or [`Error::Invalid`] naming the broken rule.
    pub fn params_text(&self) -> Result<String, Error> {
        let has_callback = !self.callback.is_zero();
        complete(self.params.clone(), self.tag, has_callback).map(|params| params.to_text())
    }
}

/// Adds the default storage and checks the rules of spec/client.md §4.5.
fn complete(mut params: DealParams, tag: Tag, has_callback: bool) -> Result<DealParams, Error> {
    if params.iexec_result_storage_provider.is_none() && !has_callback {
        params.iexec_result_storage_provider = Some(DEFAULT_STORAGE.to_owned());
    }
    check_urls(params.input_files())?;
    if !tag.is_tee() {
        check_open(&params, has_callback)?;
        params.check_standard(has_callback)?;
    }
    let provider = params.iexec_result_storage_provider.as_deref();
    match provider.filter(|provider| !has_callback && !PROVIDERS.contains(provider)) {
        Some(provider) => Err(unknown_provider("iexec_result_storage_provider", provider)),
        None => Ok(params),
    }
}

/// Secrets are given to enclaves only: without one, whoever runs the worker would read them.
///
/// # Errors
/// [`Error::Misuse`].
fn check_open(params: &DealParams, has_callback: bool) -> Result<(), Error> {
    const HINT: &str =
        "add --tag tee,tdx, for an app and a workerpool that have it, or leave it out";
    if let Some(secrets) = params.iexec_secrets.as_ref().filter(|it| !it.is_empty()) {
        let named: Vec<_> = secrets
            .iter()
            .map(|(n, name)| format!("{n}={name}"))
            .collect();
        let named = named.join(", ");
        let reason = format!("the run names secrets ({named}), but has no tag tee,tdx");
        return Err(Misuse::error(Code::SecretWithoutTee, reason, HINT));
    }
    if params.iexec_result_encryption == Some(true) {
        let reason = "the result is to be encrypted, but the run has no tag tee,tdx";
        return Err(Misuse::error(Code::EncryptionWithoutTee, reason, HINT));
    }
    let provider = params.iexec_result_storage_provider.as_deref();
    if !has_callback && provider == Some("dropbox") {
        let reason = "the result is to be stored on dropbox, but the run has no tag tee,tdx";
        return Err(Misuse::error(Code::StorageWithoutTee, reason, HINT));
    }
    Ok(())
}

/// `params` of a request order from what somebody wrote: the text as it stands when nothing has
/// to be changed, because it is what gets signed.
///
/// # Errors
/// As [`Wishes::params_text`].
pub fn params_text(text: &str, tag: Tag, has_callback: bool) -> Result<String, Error> {
    let completed = complete(read_object(text)?, tag, has_callback)?.to_text();
    let is_same = match (
        serde_json::from_str::<Value>(text),
        serde_json::from_str::<Value>(&completed),
    ) {
        (Ok(written), Ok(completed)) => written == completed,
        _ => false,
    };
    Ok(if is_same { text.to_owned() } else { completed })
}

/// A worker refuses anything else, after the deal is paid.
fn check_urls(files: &[String]) -> Result<(), Error> {
    let wrong = files.iter().find(|file| {
        let url = url::Url::parse(file).ok();
        !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    });
    match wrong {
        Some(file) => Err(Error::invalid(
            "iexec_input_files",
            format!("`{file}` is not an http(s) URL"),
        )),
        None => Ok(()),
    }
}

fn unknown_provider(field: &str, provider: &str) -> Error {
    Error::invalid(field, format!("`{provider}` is neither ipfs nor dropbox"))
}

/// `params` as the command line gives them: all texts as typed.
#[derive(Clone, Debug, Default)]
pub struct TypedParams<'a> {
    /// `--params`: a JSON object, or text for the app.
    pub params: Option<&'a str>,
    /// `--args`.
    pub args: Option<&'a str>,
    /// `--input-files`: URLs between commas.
    pub input_files: Option<&'a str>,
    /// `--secret`: `<number>=<name>` each.
    pub secrets: &'a [String],
    /// `--storage-provider`.
    pub storage_provider: Option<&'a str>,
    /// `--encrypt-result`.
    pub encrypt_result: bool,
}

impl TypedParams<'_> {
    /// Reads them; single options win over the same key of `--params`.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the option.
    pub fn read(&self) -> Result<DealParams, Error> {
        let mut params = self
            .params
            .map(read_object)
            .transpose()?
            .unwrap_or_default();
        if let Some(args) = self.args {
            params.iexec_args = Some(args.to_owned());
        }
        if let Some(files) = self.input_files {
            params.iexec_input_files = Some(split(files));
        }
        if !self.secrets.is_empty() {
            params.iexec_secrets = Some(read_secrets(self.secrets)?);
        }
        if let Some(provider) = self.storage_provider {
            if !PROVIDERS.contains(&provider) {
                return Err(unknown_provider("--storage-provider", provider));
            }
            params.iexec_result_storage_provider = Some(provider.to_owned());
        }
        if self.encrypt_result {
            params.iexec_result_encryption = Some(true);
        }
        Ok(params)
    }
}

/// Unlike upstream an unknown key is an error: it would silently do nothing.
fn read_object(text: &str) -> Result<DealParams, Error> {
    let wrong = |reason: String| Error::invalid("--params", reason);
    let mut object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(other) => return Err(wrong(format!("{other} is not a JSON object"))),
        Err(_) if text.trim_start().starts_with('{') => {
            return Err(wrong(format!("`{text}` is not valid JSON")));
        }
        Err(_) => {
            return Ok(DealParams {
                iexec_args: Some(text.to_owned()),
                ..Default::default()
            });
        }
    };
    cast(&mut object);
    serde_json::from_value(Value::Object(object)).map_err(|error| wrong(error.to_string()))
}

/// The casts of the official client: a number as args, a comma list of files, "true".
fn cast(object: &mut serde_json::Map<String, Value>) {
    for (key, value) in object.iter_mut() {
        let cast = match (key.as_str(), &*value) {
            ("iexec_args", Value::Number(number)) => Value::String(number.to_string()),
            ("iexec_input_files", Value::String(list)) => {
                split(list).into_iter().map(Value::String).collect()
            }
            ("iexec_result_encryption", Value::String(text)) => Value::Bool(text == "true"),
            _ => continue,
        };
        *value = cast;
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect()
}

fn read_secrets(mappings: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut secrets = BTreeMap::new();
    for mapping in mappings {
        let wrong = || {
            let reason = format!("`{mapping}` is not <number>=<name> with a number above 0");
            Error::invalid("--secret", reason)
        };
        let (number, name) = mapping.split_once('=').ok_or_else(wrong)?;
        let number = parse::small("--secret", number).map_err(|_| wrong())?;
        if number == 0 || name.is_empty() {
            return Err(wrong());
        }
        secrets.insert(number.to_string(), name.to_owned());
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(typed: &TypedParams<'_>) -> String {
        let mut wishes = Wishes::of(Address::ZERO);
        wishes.params = typed.read().unwrap();
        wishes.params_text().unwrap()
    }

    /// The recorded conversions of the official client (spec/client.md §4.5).
    #[test]
    fn params_become_the_official_text() {
        let of = |params| {
            text(&TypedParams {
                params: Some(params),
                ..Default::default()
            })
        };
        assert_eq!(of("{}"), r#"{"iexec_result_storage_provider":"ipfs"}"#);
        assert_eq!(
            of("do it"),
            r#"{"iexec_result_storage_provider":"ipfs","iexec_args":"do it"}"#
        );
        assert_eq!(
            of(r#"{"iexec_args":1}"#),
            r#"{"iexec_result_storage_provider":"ipfs","iexec_args":"1"}"#
        );
        assert_eq!(
            of(r#"{"iexec_input_files":"http://a,http://b"}"#),
            r#"{"iexec_result_storage_provider":"ipfs","iexec_input_files":["#.to_owned()
                + r#""http://a","http://b"]}"#
        );
        let mut callback = Wishes::of(Address::ZERO);
        callback.callback = Address::repeat_byte(1);
        assert_eq!(callback.params_text().unwrap(), "{}");
    }

    /// What is signed stays as it was written (spec/client.md §4.5).
    #[test]
    fn complete_params_are_kept_to_the_letter() {
        let same = r#"{"iexec_args":"x", "iexec_result_storage_provider":"ipfs"}"#;
        assert_eq!(params_text(same, Tag::NONE, false).unwrap(), same);
        let added = params_text(r#"{"iexec_args":"x"}"#, Tag::NONE, false).unwrap();
        assert_eq!(
            added,
            r#"{"iexec_result_storage_provider":"ipfs","iexec_args":"x"}"#
        );
        assert_eq!(params_text("{}", Tag::NONE, true).unwrap(), "{}");
    }

    #[test]
    fn input_files_are_urls_of_the_web() {
        let files = |file: &str| {
            let text = serde_json::json!({ "iexec_input_files": [file] }).to_string();
            params_text(&text, Tag::TEE_TDX, false)
        };
        assert!(files("https://a.b/c?d").is_ok());
        for bad in ["file:///etc/passwd", "a.b/c", "http://", "ftp://a/b"] {
            let error = files(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn results_go_to_a_known_place() {
        let provider = |name: &str, tag, has_callback| {
            let text = serde_json::json!({ "iexec_result_storage_provider": name }).to_string();
            params_text(&text, tag, has_callback)
        };
        let open = provider("dropbox", Tag::NONE, false).unwrap_err();
        assert_eq!(open.code(), Some("STORAGE_WITHOUT_TEE"));
        assert!(provider("dropbox", Tag::TEE_TDX, false).is_ok());
        assert!(provider("zz", Tag::TEE_TDX, false).is_err());
        assert!(provider("zz", Tag::NONE, true).is_ok());
    }

    #[test]
    fn options_win_over_params() {
        let typed = TypedParams {
            params: Some(r#"{"iexec_args":"old","iexec_input_files":["http://a"]}"#),
            args: Some("--new x"),
            ..Default::default()
        };
        let params = typed.read().unwrap();
        assert_eq!(params.iexec_args.as_deref(), Some("--new x"));
        assert_eq!(params.input_files(), ["http://a"]);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let error = |params| {
            let typed = TypedParams {
                params: Some(params),
                ..Default::default()
            };
            typed.read().unwrap_err().to_string()
        };
        assert!(error(r#"{"iexec_developer_logger":true}"#).contains("iexec_developer_logger"));
        assert!(error("[1]").contains("not a JSON object"));
        assert!(error("{oops").contains("not valid JSON"));
        let secrets = [String::from("0=x")];
        assert!(
            TypedParams {
                secrets: &secrets,
                ..Default::default()
            }
            .read()
            .is_err()
        );
        let secrets = [String::from("1=x")];
        let typed = TypedParams {
            secrets: &secrets,
            ..Default::default()
        };
        let mut wishes = Wishes::of(Address::ZERO);
        wishes.params = typed.read().unwrap();
        assert!(
            wishes
                .params_text()
                .unwrap_err()
                .to_string()
                .contains("tee,tdx")
        );
        wishes.tag = Tag::TEE_TDX;
        assert!(wishes.params_text().is_ok());
    }
}
