//! The official `iexec` packages, unmodified, against our local network: what their library and
//! command line do, read back from our own chain and services.
//!
//! Two versions, because they differ in what they ask for: 9.0.1 is what `npm install iexec`
//! gives and asks for enclaves always, 8.24.0 also asks for standard tasks.

mod books;
mod cli;
mod confidential;
mod library;
mod malformed;
mod official;
mod runs;
mod shell;

/// Each story as a test of its own for one version of the package.
macro_rules! stories {
    ($version:ident, $number:literal: $($module:ident::$name:ident,)*) => {
        mod $version {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = concat!(stringify!($version), "::", stringify!($name));
                    crate::official::play(test, $number, crate::$module::$name).await;
                }
            )*
        }
    };
}

macro_rules! both {
    ($($list:tt)*) => {
        stories!(v8, "8.24.0": $($list)*);
        stories!(v9, "9.0.1": $($list)*);
    };
}

both! {
    library::money,
    library::assets,
    library::secrets,
    library::orders,
    library::bulk,
    books::order_books,
    runs::run,
    runs::read_what_our_program_asked_for,
    runs::claims,
    cli::wallet_and_account,
    cli::assets_by_command,
    cli::secrets_by_command,
    cli::orders_by_command,
    cli::tasks_by_command,
}

// Version 8 knows other frameworks only.
mod confidential_v9 {
    use crate::{confidential, official};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn by_library() {
        let test = "confidential_v9::by_library";
        official::play(test, "9.0.1", confidential::by_library).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn bulk_by_library() {
        let test = "confidential_v9::bulk_by_library";
        official::play(test, "9.0.1", confidential::bulk_by_library).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn by_command() {
        let test = "confidential_v9::by_command";
        official::play(test, "9.0.1", confidential::by_command).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_of_nonsense() {
    let choice = engine::Choice::Builtin;
    let story = malformed::nothing_comes_of_nonsense;
    iexec_tests::bench::play("nothing_comes_of_nonsense", choice, story).await;
}
